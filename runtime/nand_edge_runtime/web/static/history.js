// The history page: frames by filters, newest first, page by page; the filters stand in the address.

import { element, say, the } from "./dom.js";
import { count, frameAddress, milliseconds, moment, score } from "./format.js";
import { verdictSign } from "./lamp.js";
import { begin, get, whenClicked, whenSent } from "./shell.js";

const PAGE = 50;
const TIMES = ["since", "until"];

const form = the("filters");
let last = null;

/** The filters as the station wants them. */
function filters() {
  const wanted = new URLSearchParams();
  for (const [key, value] of new FormData(form)) {
    if (value === "") continue;
    wanted.set(key, TIMES.includes(key) ? String(new Date(value).getTime() / 1000) : value);
  }
  return wanted;
}

function fillForm() {
  for (const [key, value] of new URLSearchParams(location.search)) {
    const field = form.elements[key];
    if (!field) continue;
    if (TIMES.includes(key)) field.value = local(Number(value));
    else {
      if (key === "camera" && ![...field.options].some((option) => option.value === value)) field.append(element("option", {}, value));
      field.value = value;
    }
  }
}

function local(seconds) {
  const at = new Date(seconds * 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

async function load({ older = false } = {}) {
  const wanted = filters();
  const page = new URLSearchParams(wanted);
  page.set("limit", PAGE);
  if (older && last) {
    page.set("before_run", last.run);
    page.set("before_camera", last.camera);
    page.set("before_number", last.number);
  }
  const { frames } = await get(`/api/history?${page}`);
  the("frames").replaceChildren(...frames.map(row));
  if (frames.length === 0) {
    the("frames").append(element("tr", { class: "none" }, element("td", { colspan: 8 }, older ? "No older frames." : "No frame on record is like this.")));
  }
  last = frames.length ? frames[frames.length - 1] : last;
  the("older").disabled = frames.length < PAGE;
  the("newest").disabled = !older;
  the("csv").href = `/api/history/export.csv?${wanted}`;
  the("jsonl").href = `/api/history/export.jsonl?${wanted}`;
  if (older) return scrollTo({ top: 0 });
  history.replaceState(null, "", wanted.size ? `?${wanted}` : location.pathname);
  say(the("counts"), "Counting …");
  get(`/api/history/counts?${wanted}`)
    .then((counts) => say(the("counts"), countText(counts)))
    .catch((error) => say(the("counts"), error.message));
}

function countText(counts) {
  const suppressed = counts.suppressed ? ` (${count(counts.suppressed)} thanks to words)` : "";
  return `${count(counts.frames)} frames: ${count(counts.pass)} pass${suppressed}, ${count(counts.reject)} reject`;
}

function row(frame) {
  const cell = (label, content, kind = "") => element("td", { "data-label": label, class: kind }, content);
  const address = frameAddress(frame);
  const isMissed = frame.reason !== "inspected";
  return element(
    "tr",
    {
      class: frame.verdict,
      click: (event) => {
        if (!event.target.closest("a")) location.assign(address);
      },
    },
    cell("Time", moment(frame.timestamp)),
    cell("Camera", element("span", { translate: "no" }, frame.camera)),
    cell("Frame", element("a", { href: address, translate: "no" }, `#${frame.number} ${frame.name.split(/[\\/]/).pop()}`), "name"),
    cell("Verdict", [verdictSign(frame.verdict, frame.suppressed), isMissed ? element("small", {}, frame.reason) : ""], "verdict-cell"),
    cell("Score", (frame.score_is_bound ? (frame.verdict === "pass" ? "≤ " : "≥ ") : "") + score(frame.score), "number"),
    cell("Base score", score(frame.base_score), "number"),
    cell("Threshold", score(frame.threshold), "number"),
    cell("Time taken", milliseconds(frame.latency_ms.total), "number"),
  );
}

whenSent(form, () => load());
whenClicked(the("older"), () => load({ older: true }));
whenClicked(the("newest"), () => load());
await begin();
const { cameras } = await get("/api/status");
for (const name of cameras) form.elements.camera.append(element("option", {}, name));
fillForm();
await load().catch((error) => say(the("counts"), error.message));
