// The signs: each state and verdict has a colour, a word and a shape of its own, for eyes that see no colours too.

import { drawing, element } from "./dom.js";

const SHAPES = {
  pass: [["circle", { cx: 16, cy: 16, r: 15, class: "body" }], ["path", { d: "M9 16.5l5 5 9.5-10.5", class: "mark" }]],
  reject: [
    ["path", { d: "M10 1h12l9 9v12l-9 9H10l-9-9V10z", class: "body" }],
    ["path", { d: "M10.5 10.5l11 11m0-11l-11 11", class: "mark" }],
  ],
  warn: [["path", { d: "M16 1.5L31 29H1z", class: "body" }], ["path", { d: "M16 11v9m0 4.2v.3", class: "mark" }]],
  paused: [
    ["rect", { x: 1, y: 1, width: 30, height: 30, rx: 5, class: "body" }],
    ["path", { d: "M11.5 9v14m9-14v14", class: "mark" }],
  ],
  waiting: [
    ["circle", { cx: 16, cy: 16, r: 13.5, class: "ring" }],
    ["path", { d: "M16 8.5V16l5 4", class: "mark" }],
  ],
  stopped: [["rect", { x: 3, y: 3, width: 26, height: 26, rx: 2, class: "body" }]],
};

const STATES = {
  starting: ["waiting", "Starting"],
  running: ["pass", "Running"],
  degraded: ["warn", "Degraded"],
  paused: ["paused", "Paused"],
  stopped: ["stopped", "Stopped"],
  reconnecting: ["warn", "Reconnecting"],
  failed: ["reject", "Failed"],
  finished: ["stopped", "Finished"],
  "cut off": ["warn", "Cut off"],
};

/** A sign alone: `pass`, `reject`, `warn`, `paused`, `waiting` or `stopped`. */
export function sign(kind) {
  const parts = (SHAPES[kind] ?? SHAPES.warn).map(([name, attributes]) => drawing(name, attributes));
  return drawing("svg", { viewBox: "0 0 32 32", class: `sign ${kind}`, "aria-hidden": "true" }, ...parts);
}

/** The sign and the word of a state of the station or one of its parts. */
export function stateOf(state) {
  const [kind, word] = STATES[state] ?? ["warn", state];
  return { kind, word };
}

/** A state, drawn and written. */
export function stateSign(state) {
  const { kind, word } = stateOf(state);
  return element("span", { class: `with-sign ${kind}` }, sign(kind), element("span", {}, word));
}

/** A verdict, drawn and written; `words` says that it passed because of them. */
export function verdictSign(verdict, suppressed = false) {
  const word = verdict === "pass" ? "Pass" : "Reject";
  const more = suppressed ? element("span", { class: "thanks" }, "thanks to words") : null;
  return element("span", { class: `with-sign ${verdict}` }, sign(verdict), element("span", {}, word), more);
}
