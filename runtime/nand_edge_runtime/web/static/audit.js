// The audit log: who changed what and when, and the states that the station went through.

import { element, the } from "./dom.js";
import { exactly } from "./format.js";
import { stateSign } from "./lamp.js";
import { begin, get, tell, whenClicked } from "./shell.js";

const PAGE = 50;
const LOGS = {
  changes: ["Changes", "/api/audit", changeRow],
  states: ["States", "/api/states", stateRow],
};

let which = "changes";
let earliest = null;

function changeRow(change) {
  const { before, after, ...others } = change.detail;
  const details = [
    before && after ? `${inWords(before)} → ${inWords(after)}` : "",
    ...Object.entries(others).map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`),
  ].filter(Boolean);
  return element(
    "li",
    {},
    element("time", {}, exactly(change.at)),
    element("b", { translate: "no" }, change.who),
    element("span", {}, change.what, details.length ? element("small", {}, details.join(" · ")) : ""),
  );
}

function stateRow(change) {
  return element("li", {}, element("time", {}, exactly(change.at)), stateSign(change.state), element("span", {}, change.why));
}

function inWords(inForce) {
  if (typeof inForce !== "object") return String(inForce);
  const words = inForce.normalities?.length ? inForce.normalities.join(", ") : "no normality";
  return `${words}, threshold ${inForce.threshold}`;
}

async function load({ older = false } = {}) {
  const [, address, rowOf] = LOGS[which];
  const told = await get(`${address}?limit=${PAGE}${older && earliest !== null ? `&before=${earliest}` : ""}`);
  const entries = told[which];
  if (!older) the("log").replaceChildren();
  the("log").append(...entries.map(rowOf));
  if (the("log").children.length === 0) the("log").append(element("li", { class: "hint" }, "Nothing is on record yet."));
  if (entries.length) earliest = entries[entries.length - 1].at;
  the("older").disabled = entries.length < PAGE;
}

function offer() {
  const buttons = Object.entries(LOGS).map(([key, [label]]) =>
    element("button", { type: "button", role: "radio", "aria-checked": key === which ? "true" : "false", click: () => choose(key) }, label),
  );
  the("which").replaceChildren(...buttons);
}

function choose(key) {
  which = key;
  earliest = null;
  offer();
  load().catch((error) => tell(error.message, { fault: true }));
}

whenClicked(the("older"), () => load({ older: true }));
await begin();
choose("changes");
