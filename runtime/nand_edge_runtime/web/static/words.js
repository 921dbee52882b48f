// The words page: switch normalities, move the threshold, see on the last frames what it changes, put it in force.

import { drawing, element, say, show, the } from "./dom.js";
import { count, frameAddress, pictureAddress, score } from "./format.js";
import { verdictSign } from "./lamp.js";
import { begin, get, may, post, tell, whenClicked, whenSent } from "./shell.js";

const POLL_MS = 300;

let words = null;
let chosen = null;
let rehearsal = null;

function take(told) {
  words = told;
  chosen = { normalities: new Set(told.in_force.normalities), threshold: told.in_force.threshold };
  the("frames").value ||= told.rehearsal_frames;
  the("slider").max = Math.max(1, told.in_force.threshold * 2);
  drop();
  draw();
}

function draw() {
  the("normalities").replaceChildren(...words.normalities.map(switchOf));
  if (words.normalities.length === 0) the("normalities").append(element("li", { class: "hint" }, "There is no normality yet."));
  the("slider").value = chosen.threshold;
  the("threshold").value = Number(chosen.threshold.toPrecision(6));
  show(the("add-form"), words.can_add);
  show(the("cannot-add"), !words.can_add);
  say(the("count"), the("frames").value);
  enable();
}

function switchOf(entry) {
  const isOn = chosen.normalities.has(entry.name);
  const box = element("input", {
    type: "checkbox",
    role: "switch",
    name: entry.name,
    checked: isOn,
    disabled: !may("operator"),
    change: (event) => {
      if (event.target.checked) chosen.normalities.add(entry.name);
      else chosen.normalities.delete(entry.name);
      drop();
      enable();
    },
  });
  const changed = isOn !== entry.active ? element("span", { class: "chip changed" }, "not in force yet") : null;
  return element(
    "li",
    { class: changed ? "is-changed" : "" },
    element(
      "label",
      {},
      box,
      element("span", { class: "text" }, element("b", { translate: "no" }, entry.text), element("small", { translate: "no" }, `${entry.name} · ${entry.object_name}${entry.added ? " · added here" : ""}`)),
    ),
    changed,
  );
}

function isChanged() {
  const now = words.in_force;
  const same = now.normalities.length === chosen.normalities.size && now.normalities.every((name) => chosen.normalities.has(name));
  return !same || chosen.threshold !== now.threshold;
}

function enable() {
  const changed = isChanged();
  the("try").disabled = !changed || !Number.isFinite(chosen.threshold);
  the("reset").disabled = !changed;
  for (const [place, entry] of words.normalities.entries()) {
    const row = the("normalities").children[place];
    const isOther = chosen.normalities.has(entry.name) !== entry.active;
    row.classList.toggle("is-changed", isOther);
    row.querySelector(".chip")?.remove();
    if (isOther) row.append(element("span", { class: "chip changed" }, "not in force yet"));
  }
}

/** What is proposed, in the order in which the station lists it. */
function proposal() {
  const names = words.normalities.map((entry) => entry.name).filter((name) => chosen.normalities.has(name));
  return { normalities: names, threshold: chosen.threshold };
}

function drop() {
  rehearsal = null;
  show(the("outcome"), false);
}

async function rehearse() {
  const asked = { ...proposal(), frames: Number(the("frames").value) || null };
  const outcome = the("outcome");
  const progress = element("progress", { max: 1, value: 0 });
  const label = element("p", {}, "Judging the last frames again …");
  outcome.replaceChildren(element("h2", {}, "What it would change"), label, progress);
  show(outcome, true);
  outcome.scrollIntoView({ behavior: "smooth", block: "nearest" });
  try {
    const { id } = await post("/api/rehearsals", asked);
    rehearsal = id;
    while (rehearsal === id) {
      const told = await get(`/api/rehearsals/${id}`);
      if (told.state === "failed") throw new Error(told.error);
      if (told.state === "done") {
        if (rehearsal === id) showOutcome(told, asked);
        return;
      }
      progress.max = told.of || 1;
      progress.value = told.done;
      say(label, `Judging the last frames again: ${count(told.done)} of ${count(told.of)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } catch (error) {
    outcome.replaceChildren(
      element("h2", {}, "It could not be tried"),
      element("p", { class: "fault" }, error.message),
      decision(asked, "Put in force without trying"),
    );
  }
}

function showOutcome(told, asked) {
  const rows = [
    ["Pass", told.now.pass, told.then.pass, "pass"],
    ["Reject", told.now.reject, told.then.reject, "reject"],
  ];
  const table = element(
    "table",
    { class: "before-after" },
    element("thead", {}, element("tr", {}, element("th", {}, "Verdict"), element("th", { class: "number" }, "now"), element("th", { class: "number" }, "then"))),
    element("tbody", {}, rows.map(([label, now, then, verdict]) => element("tr", {}, element("td", {}, verdictSign(verdict)), element("td", { class: "number" }, count(now)), element("td", { class: `number${now === then ? "" : " is-other"}` }, count(then))))),
  );
  const passed = told.changed.filter((frame) => frame.then === "pass");
  const rejected = told.changed.filter((frame) => frame.then === "reject");
  the("outcome").replaceChildren(
    element("h2", {}, "What it would change"),
    element("p", { class: "lead", id: "summary" }, summary(told)),
    element("div", { class: "columns" }, table, scores(told, asked.threshold)),
    decision(asked, "Put in force"),
    gallery("Would pass from now on", passed, told.newly_passed),
    gallery("Would be rejected from now on", rejected, told.newly_rejected),
  );
  the("outcome").scrollIntoView({ behavior: "smooth", block: "start" });
}

function summary(told) {
  if (told.newly_passed + told.newly_rejected === 0) return `Of the last ${count(told.frames)} frames, none would get another verdict.`;
  const parts = [];
  if (told.newly_passed) parts.push(`${count(told.newly_passed)} would pass that ${told.newly_passed === 1 ? "is a reject" : "are rejects"} now`);
  if (told.newly_rejected) parts.push(`${count(told.newly_rejected)} would be rejected that ${told.newly_rejected === 1 ? "passes" : "pass"} now`);
  return `Of the last ${count(told.frames)} frames, ${parts.join(", and ")}.`;
}

function decision(asked, label) {
  const put = element("button", { type: "button", class: "big", id: "put-in-force" }, label);
  const discard = element("button", { type: "button", class: "big quiet", id: "discard" }, "Discard");
  whenClicked(put, async () => {
    take(await post("/api/words", { ...asked, frames: undefined, instead_of: words.in_force }));
    tell("In force from the next frame on.");
  });
  whenClicked(discard, async () => take(await get("/api/words")));
  return element("div", { class: "actions" }, put, discard);
}

function gallery(title, frames, all) {
  if (!all) return "";
  const shown = frames.map((frame) =>
    element(
      "a",
      { href: frameAddress(frame), class: `thumb ${frame.then}`, target: "_blank", rel: "noopener" },
      element("img", { src: pictureAddress(frame, "frame"), alt: "", loading: "lazy", width: 160, height: 160 }),
      element("span", {}, verdictSign(frame.now), " → ", verdictSign(frame.then)),
      element("small", { translate: "no" }, `${frame.camera} #${frame.number} · ${score(frame.score)}`),
    ),
  );
  const more = all > frames.length ? element("p", { class: "hint" }, `and ${count(all - frames.length)} more`) : "";
  return element("section", {}, element("h3", {}, `${title}: ${count(all)}`), element("div", { class: "gallery" }, shown), more);
}

/** Every frame's score by the proposal as a dot, by its verdict now; the line is the proposed threshold. */
function scores(told, threshold) {
  const [width, height] = [600, 120];
  const top = Math.max(threshold * 1.5, ...told.scores.map(([value]) => value ?? 0), 1e-6);
  const y = (value) => height - (Math.min(Math.max(value ?? top, 0), top) / top) * (height - 8) - 4;
  const x = (place) => width - ((place + 0.5) * width) / told.scores.length;
  const dots = told.scores.map(([value, now, then], place) =>
    drawing("circle", { cx: x(place).toFixed(1), cy: y(value).toFixed(1), r: now === then ? 3 : 5, class: `dot ${then}${now === then ? "" : " is-other"}` }),
  );
  return element(
    "figure",
    { class: "chart scores" },
    element("figcaption", {}, "Scores by the change, newest at the right"),
    drawing("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, drawing("line", { x1: 0, x2: width, y1: y(threshold), y2: y(threshold), class: "threshold" }), dots),
    element("p", { class: "read small" }, element("span", { class: "key pass" }, "pass"), element("span", { class: "key reject" }, "reject"), element("span", { class: "key threshold" }, `threshold ${score(threshold)}`)),
  );
}

function setThreshold(value) {
  chosen.threshold = value;
  drop();
  enable();
}

the("slider").addEventListener("input", (event) => {
  const value = Number(Number(event.target.value).toPrecision(4));
  the("threshold").value = value;
  setThreshold(value);
});
the("threshold").addEventListener("input", (event) => {
  const value = event.target.value === "" ? NaN : Number(event.target.value);
  if (Number.isFinite(value)) the("slider").value = value;
  setThreshold(value);
});
the("frames").addEventListener("input", (event) => say(the("count"), event.target.value));
whenClicked(the("try"), rehearse);
whenClicked(the("reset"), async () => take(await get("/api/words")));
whenSent(the("add-form"), async (values) => {
  const told = await post("/api/normalities", values);
  const keep = new Set(chosen.normalities);
  take(told);
  chosen.normalities = new Set([...keep].filter((name) => told.normalities.some((entry) => entry.name === name)));
  draw();
  the("add-form").reset();
  tell(`Added ${told.name}: switch it on to try it.`);
});
the("add-form").elements.text.addEventListener("input", (event) => {
  const name = the("add-form").elements.name;
  if (name.dataset.typed) return;
  name.value = event.target.value.toLowerCase().replace(/\b(a|an|the|on|of)\b/g, " ").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
});
the("add-form").elements.name.addEventListener("input", (event) => (event.target.dataset.typed = event.target.value ? "yes" : ""));

await begin({
  load: async () => take(await get("/api/words")),
  on: {
    status: (told) => {
      if (words === null) return;
      const now = words.in_force;
      const isOther = told.threshold !== now.threshold || told.normalities.join("\0") !== now.normalities.join("\0");
      if (isOther && !isChanged()) get("/api/words").then(take).catch(() => {});
    },
  },
});
for (const node of [the("slider"), the("threshold")]) node.disabled = !may("operator");
show(the("look-only"), !may("operator"));
