// One frame's page: its verdict and why it got it, in a sentence, in pictures and in numbers.

import { drawing, element, show, the } from "./dom.js";
import { exactly, milliseconds, pictureAddress, score } from "./format.js";
import { gauge } from "./gauge.js";
import { sign } from "./lamp.js";
import { begin, get } from "./shell.js";

const LABELS = { frame: "Frame", base: "Base map", suppression: "Suppression map", final: "Final map" };
const EXPLAINED = {
  frame: "as the camera gave it",
  base: "what the base detector finds odd",
  suppression: "where the words say that it is normal",
  final: "what is left: its maximum is the score",
};

function draw({ record, views, words, bundle_now: bundleNow }) {
  const isMissed = record.reason !== "inspected";
  const more = isMissed ? "not inspected" : record.suppressed ? "thanks to words" : "";
  document.title = `${record.verdict} · ${record.camera} #${record.number}`;
  the("frame").replaceChildren(
    element(
      "div",
      { class: "card" },
      element("h1", { translate: "no" }, `${record.camera} #${record.number}`),
      element(
        "div",
        { class: "verdict" },
        element(
          "div",
          { class: `lamp ${record.verdict}${isMissed ? " missed" : ""}` },
          sign(record.verdict),
          element("span", {}, element("b", {}, record.verdict === "pass" ? "Pass" : "Reject"), more && element("small", {}, more)),
        ),
        element("div", { class: "beside" }, element("p", { class: "lead", id: "because" }, because(record, words)), gauge(record)),
      ),
    ),
    pictures(record, views),
    element("div", { class: "columns" }, wordsOf(record, words), facts(record, bundleNow), latency(record)),
  );
}

/** Why it has its verdict. */
function because(record, words) {
  if (record.reason !== "inspected") {
    return `It is a reject because it was not inspected: ${record.reason}${record.detail ? ` (${record.detail})` : ""}. A frame that was not inspected is never a pass.`;
  }
  const [final, base, threshold] = [score(record.score), score(record.base_score), score(record.threshold)];
  if (record.suppressed) {
    return `The base detector alone would have rejected it: its score ${base} reaches the threshold ${threshold}. By the words ${quoted(record, words)}, what it found is normal, and what is left scores ${record.score_is_bound ? "at most " : ""}${final}.`;
  }
  if (record.verdict === "pass") {
    return `The base detector found nothing: its score ${base} stays below the threshold ${threshold}. No words were needed.`;
  }
  if (!record.normalities.length) return `The score ${final} reaches the threshold ${threshold}, and no words were in force.`;
  return `The score ${record.score_is_bound ? "is at least " : ""}${final} and reaches the threshold ${threshold}, though the words in force were taken into account.`;
}

/** The words “dark stain”, or “dark stain” and “scratch”. */
function quoted(record, words) {
  const texts = record.normalities.map((name) => `“${words[name] || name}”`);
  return texts.join(", ").replace(/, ([^,]*)$/, " and $1");
}

function pictures(record, views) {
  if (views.length === 0) return element("p", { class: "card hint" }, "Of this frame no picture is kept.");
  const panels = views.map((view) =>
    element(
      "figure",
      { class: `panel ${view}` },
      element(
        "a",
        view === "frame" ? { href: pictureAddress(record, "whole"), target: "_blank", title: "Larger" } : {},
        element("img", { src: pictureAddress(record, view), alt: `${LABELS[view]} of ${record.camera} #${record.number}` }),
      ),
      element("figcaption", {}, element("b", {}, LABELS[view]), " ", element("small", {}, EXPLAINED[view])),
    ),
  );
  const note = views.length === 1 ? element("p", { class: "hint" }, "Its maps are not kept.") : "";
  const legend = views.length > 1 ? element("p", { class: "hint" }, "The white line surrounds what reaches the threshold. Base and final map share one scale of colours.") : "";
  return element("div", { class: "card" }, element("div", { class: "panels" }, panels), legend, note);
}

function wordsOf(record, words) {
  const rows = record.normalities.map((name) =>
    element("li", {}, element("b", { translate: "no" }, words[name] || name), words[name] ? element("small", { translate: "no" }, name) : ""),
  );
  const none = record.reason === "inspected" ? "No normality was in force." : "It was not inspected.";
  const unused = record.reason === "inspected" && record.normalities.length && !record.clip_ran;
  return element(
    "section",
    { class: "card" },
    element("h2", {}, "Words in force"),
    rows.length ? element("ul", { class: "plain-list", id: "words" }, rows) : element("p", { class: "hint" }, none),
    unused ? element("p", { class: "hint" }, "They were not asked: the base score was below the threshold.") : "",
  );
}

function facts(record, bundleNow) {
  const isOther = record.bundle && record.bundle !== bundleNow ? element("small", {}, "another one than now") : "";
  const rows = [
    ["Name", record.name],
    ["Taken", exactly(record.timestamp)],
    ["Run", record.run],
    ["Place on the line", record.position],
    ["Camera's clock", record.device_timestamp_ns === null ? null : `${record.device_timestamp_ns} ns`],
    ["Dropped before it", record.dropped_before || null],
    ["Bundle", record.bundle, isOther],
    ["Hash of the words", record.normalities_sha256],
  ].filter(([, value]) => value !== null && value !== "");
  return element(
    "section",
    { class: "card" },
    element("h2", {}, "Identity"),
    element("dl", { class: "facts" }, rows.flatMap(([label, value, more]) => [element("dt", {}, label), element("dd", { translate: "no" }, String(value), " ", more)])),
  );
}

function latency(record) {
  const stages = Object.entries(record.latency_ms).filter(([stage]) => stage !== "total");
  const total = record.latency_ms.total ?? Math.max(...stages.map(([, value]) => value), 0);
  const rows = [...stages, ["total", total]].flatMap(([stage, value]) => [
    element("dt", {}, stage),
    element("dd", { class: "bar" }, drawing("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, drawing("rect", { width: total > 0 ? Math.min((value / total) * 100, 100) : 0, height: 10 })), milliseconds(value)),
  ]);
  return element("section", { class: "card" }, element("h2", {}, "Time taken"), element("dl", { class: "facts" }, rows));
}

show(the("back"), true);
if (document.referrer && new URL(document.referrer).pathname === "/history") the("back").href = document.referrer;
await begin();
try {
  draw(await get(`/api/frame${location.search}`));
} catch (error) {
  the("frame").replaceChildren(element("p", { class: "card fault" }, error.message));
}
