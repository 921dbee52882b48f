// The live page: per camera its last frame with its maps and verdict; the station's counts, parts and words.

import { latencyChart, rateChart, Seconds } from "./charts.js";
import { element, say, show, the } from "./dom.js";
import { count, frameAddress, lasting, milliseconds, moment, score } from "./format.js";
import { gauge } from "./gauge.js";
import { sign, stateSign } from "./lamp.js";
import { begin, may, post, tell, whenClicked, whenSent } from "./shell.js";

const VIEWS = [
  ["frame", "Frame"],
  ["base", "Base map"],
  ["suppression", "Suppression"],
  ["final", "Final map"],
];
const STALE_MS = 3000;
const NAMED = ["frames", "pass", "reject", "suppressed", "dropped", "inspected"];

const cameras = new Map();
let status = null;
let view = localStorage.getItem("view") ?? "all";

class Camera {
  constructor(name) {
    this.name = name;
    this.seconds = new Seconds();
    this.shownAt = 0;
    this.lamp = element("div", { class: "lamp waiting" }, sign("waiting"), element("span", {}, element("b", {}, "Waiting")));
    this.why = element("p", { class: "why-reject", hidden: true });
    this.stale = element("p", { class: "stale", hidden: true });
    this.title = element("span", { class: "frame-name", translate: "no" });
    this.numbers = element("div", { class: "numbers" });
    this.link = element("a", { class: "button quiet", hidden: true }, "Why?");
    this.part = element("span", { class: "part-state" });
    this.pictures = new Map(VIEWS.map(([key]) => [key, element("img", { alt: "", width: 320, height: 320 })]));
    const panels = VIEWS.map(([key, label]) =>
      element("figure", { class: `panel ${key}` }, this.pictures.get(key), element("figcaption", {}, label)),
    );
    this.panels = element("div", { class: "panels" }, panels);
    this.rates = rateChart();
    this.latencies = latencyChart();
    this.node = element(
      "article",
      { class: "card camera", "data-camera": name },
      element("header", {}, element("h2", { translate: "no" }, name), this.part, this.stale),
      element(
        "div",
        { class: "verdict" },
        this.lamp,
        element("div", { class: "beside" }, this.why, this.title, this.numbers),
        this.link,
      ),
      this.panels,
      element("div", { class: "charts" }, this.rates.node, this.latencies.node),
    );
  }

  show({ record, pictures, width, height }) {
    this.shownAt = Date.now();
    this.node.classList.remove("is-stale");
    const isMissed = record.reason !== "inspected";
    this.lamp.className = `lamp ${record.verdict}${isMissed ? " missed" : ""}`;
    const more = isMissed ? "not inspected" : record.suppressed ? "thanks to words" : "";
    const word = element("span", {}, element("b", {}, record.verdict === "pass" ? "Pass" : "Reject"), more && element("small", {}, more));
    this.lamp.replaceChildren(sign(record.verdict), word);
    show(this.why, isMissed);
    say(this.why, isMissed ? record.reason + (record.detail ? `: ${record.detail}` : "") : "");
    say(this.title, `#${record.number} · ${moment(record.timestamp)} · ${lastPart(record.name)}`);
    this.numbers.replaceChildren(
      gauge(record) ?? "",
      element("p", { class: "small hint" }, `${milliseconds(record.latency_ms.total)} from taken to verdict`),
    );
    this.link.href = frameAddress(record);
    show(this.link, true);
    say(this.pictures.get("suppression").nextSibling, record.clip_ran ? "Suppression" : "Suppression: not needed");
    for (const [key, picture] of this.pictures) {
      const figure = picture.parentElement;
      show(figure, key in pictures);
      if (!(key in pictures)) continue;
      picture.src = pictures[key];
      picture.alt = `${figure.lastChild.textContent} of ${record.camera} #${record.number}`;
      picture.width = width >= height ? 320 : Math.round((320 * width) / height);
      picture.height = width >= height ? Math.round((320 * height) / width) : 320;
    }
  }

  look() {
    const old = Date.now() - this.shownAt;
    const isStale = this.shownAt > 0 && old > STALE_MS;
    this.node.classList.toggle("is-stale", isStale);
    show(this.stale, isStale);
    if (isStale) say(this.stale, `no new frame for ${lasting(old / 1000)}`);
  }

  draw() {
    this.rates.draw(this.seconds);
    this.latencies.draw(this.seconds);
  }
}

function camera(name) {
  if (!cameras.has(name)) {
    if (cameras.size === 0) the("cameras").replaceChildren();
    const made = new Camera(name);
    cameras.set(name, made);
    the("cameras").append(made.node);
    applyView();
  }
  return cameras.get(name);
}

function showStatus(told) {
  status = told;
  document.title = `${told.state === "running" ? "" : `${told.state}: `}${told.name}`;
  for (const part of told.parts) {
    if (part.name.startsWith("camera ")) {
      const shown = camera(part.name.slice("camera ".length));
      shown.part.replaceChildren(part.state === "running" ? "" : stateSign(part.state), part.why ? element("small", {}, part.why) : "");
    }
  }
  const isUnwell = told.state !== "running";
  show(the("why"), isUnwell);
  the("why").className = `banner ${told.state}`;
  the("why").replaceChildren(stateSign(told.state), element("span", {}, whyText(told)));
  const pause = the("pause");
  const isPaused = told.state === "paused";
  pause.replaceChildren(sign(isPaused ? "pass" : "paused"), isPaused ? "Resume" : "Pause");
  pause.disabled = told.state === "stopped";
  say(the("pause-hint"), isPaused ? "Every frame is a reject now." : "While it is paused, every frame is a reject.");
  showCounts(told.counts);
  show(the("rolls"), may("operator") && told.parts.some((part) => part.name === "rolls"));
  const names = told.parts.filter((part) => part.name.startsWith("camera ")).map((part) => part.name.slice("camera ".length));
  replaceIfOther(the("roll-camera"), names.map((name) => element("option", { value: name }, name)));
  const inForce = [
    ...told.normalities.map((name) => element("span", { class: "chip", translate: "no" }, name)),
    told.normalities.length ? null : element("span", { class: "hint" }, "no normality"),
    element("span", { class: "chip plain" }, `threshold ${score(told.threshold)}`),
  ].filter(Boolean);
  replaceIfOther(the("in-force"), inForce);
  replaceIfOther(the("parts"), told.parts.map(partRow));
}

function whyText(told) {
  if (told.why) return told.why;
  if (told.state === "starting") return "The station is starting.";
  return told.state === "stopped" ? "The station has stopped." : "";
}

function showCounts(counts) {
  const rows = [
    ["Frames", counts.frames],
    ["Pass", counts.pass, "pass"],
    ["of these thanks to words", counts.suppressed, "suppressed"],
    ["Reject", counts.reject, "reject"],
    ...Object.entries(counts)
      .filter(([name, frames]) => !NAMED.includes(name) && frames > 0)
      .map(([name, frames]) => [name, frames, "missed"]),
    ["Dropped by the cameras", counts.dropped],
  ];
  replaceIfOther(
    the("counts"),
    rows.flatMap(([label, frames, kind]) => [
      element("dt", { class: kind ?? "" }, label),
      element("dd", {}, count(frames ?? 0)),
    ]),
  );
}

function partRow(part) {
  const facts = Object.entries(part.facts).filter(([name, value]) => value !== 0 && value !== null && name !== "pid");
  const text = facts.map(([name, value]) => `${name.replaceAll("_", " ")} ${shortly(value)}`).join(" · ");
  return element(
    "li",
    {},
    stateSign(part.state),
    element("span", {}, element("b", { translate: "no" }, part.name), part.why ? element("em", {}, part.why) : null, text ? element("small", {}, text) : null),
  );
}

function shortly(value) {
  return Number.isInteger(value) ? count(value) : value.toFixed(1);
}

/** Leaves what is the same in peace, so that a finger or a screen reader on it is not disturbed. */
function replaceIfOther(parent, children) {
  const wanted = children.map((child) => child.outerHTML).join("");
  if (parent.dataset.shown !== wanted) {
    parent.dataset.shown = wanted;
    parent.replaceChildren(...children);
  }
}

function lastPart(name) {
  return name.split(/[\\/]/).pop();
}

function applyView() {
  document.body.dataset.view = view;
  document.body.classList.toggle("many", cameras.size > 1);
}

function offerViews() {
  const choices = [["all", "All four"], ...VIEWS];
  const buttons = choices.map(([key, label]) =>
    element(
      "button",
      {
        type: "button",
        role: "radio",
        "data-view": key,
        click: () => {
          view = key;
          localStorage.setItem("view", key);
          offerViews();
          applyView();
        },
        "aria-checked": key === view ? "true" : "false",
      },
      label,
    ),
  );
  the("views").replaceChildren(...buttons);
}

offerViews();
whenClicked(the("pause"), async () => {
  const isPaused = status?.state === "paused";
  await post(isPaused ? "/api/resume" : "/api/pause");
  tell(isPaused ? "The station inspects again." : "The station is paused.");
});
whenSent(the("roll"), async () => {
  const name = the("roll-name").value.trim();
  await post("/api/rolls", { camera: the("roll-camera").value, name });
  the("roll-name").value = "";
  tell(`Roll ${name} has begun.`);
});
setInterval(() => cameras.forEach((shown) => shown.look()), 500);
await begin({
  pictures: true,
  on: {
    status: showStatus,
    frame: (message) => camera(message.record.camera).show(message),
    rates: ({ seconds }) => {
      for (const [name, rows] of Object.entries(seconds)) {
        camera(name).seconds.add(rows);
        camera(name).draw();
      }
    },
  },
});
show(the("controls"), may("operator"));
