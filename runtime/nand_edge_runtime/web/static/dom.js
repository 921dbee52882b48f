// Elements made of plain values: text never becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (a function is a listener, null leaves one out) and children (texts and elements). */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for pictures. */
export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** The element of this page with an identity. */
export function the(identity) {
  return document.getElementById(identity);
}

/** Shows or hides. */
export function show(node, visible) {
  if (node) node.hidden = !visible;
}

/** Sets a text only where it is another one, so that a selection and a screen reader are left in peace. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}
