// The gauge: how far a frame's scores are from the threshold.

import { drawing, element } from "./dom.js";
import { score } from "./format.js";

/** Score and base score of a record on one scale with its threshold; null where it was not inspected. */
export function gauge(record) {
  if (record.threshold === null) return null;
  const reached = [record.score, record.base_score].filter((value) => value !== null);
  const end = Math.max(record.threshold * 1.5, ...reached.map((value) => value * 1.05), 1e-6);
  const at = (value) => Math.min(Math.max((value / end) * 100, 0), 100);
  const bar = (value, y, height, kind) =>
    value === null ? null : drawing("rect", { x: 0, y, width: at(value), height, class: kind });
  const scale = drawing(
    "svg",
    { viewBox: "0 0 100 12", preserveAspectRatio: "none", class: "scale", "aria-hidden": "true" },
    drawing("rect", { x: 0, y: 0, width: 100, height: 12, class: "ground" }),
    bar(record.base_score, 0, 12, "base"),
    bar(record.score, 3, 6, record.verdict),
    drawing("line", { x1: at(record.threshold), x2: at(record.threshold), y1: -2, y2: 14, class: "threshold" }),
  );
  const bound = record.score_is_bound ? (record.verdict === "pass" ? "at most " : "at least ") : "";
  return element(
    "div",
    { class: "gauge" },
    scale,
    element(
      "p",
      { class: "read" },
      element("span", { class: `key ${record.verdict}` }, "score ", element("b", {}, bound + score(record.score))),
      element("span", { class: "key base" }, "base detector ", element("b", {}, score(record.base_score))),
      element("span", { class: "key threshold" }, "threshold ", element("b", {}, score(record.threshold))),
    ),
  );
}
