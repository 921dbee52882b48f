// The charts of the last minutes: what became of frames, and how long it took.

import { drawing, element } from "./dom.js";
import { milliseconds } from "./format.js";

const SECONDS = 300;
const WIDTH = 600;
const HEIGHT = 96;
const [AT, PASSED, SUPPRESSED, REJECTED, MISSED, MEDIAN, SLOWEST] = [0, 1, 2, 3, 4, 5, 6];

/** The seconds of one camera, joined together from messages that overlap. */
export class Seconds {
  constructor() {
    this.rows = [];
  }

  add(rows) {
    const last = this.rows.length ? this.rows[this.rows.length - 1][AT] : -Infinity;
    this.rows.push(...rows.filter((row) => row[AT] > last));
    if (rows.length && last - rows[rows.length - 1][AT] > 5) this.rows = [...rows]; // the clock was set back
    this.rows = this.rows.slice(-SECONDS);
  }

  /** Frames a second over the last five seconds. */
  rate() {
    const newest = this.rows.slice(-5);
    return newest.length ? newest.reduce((sum, row) => sum + total(row), 0) / newest.length : 0;
  }
}

/** A chart of frames a second by what became of them. */
export function rateChart() {
  const layers = ["pass", "suppressed", "reject", "missed"].map((kind) => drawing("path", { class: `area ${kind}` }));
  const chart = frame("Frames a second", layers, [
    ["pass", "pass"],
    ["suppressed", "pass thanks to words"],
    ["reject", "reject"],
    ["missed", "not inspected"],
  ]);
  return {
    node: chart.node,
    draw(seconds) {
      const { rows } = seconds;
      const top = niceTop(Math.max(1, ...rows.map(total)));
      let below = rows.map(() => 0);
      const parts = [(row) => row[PASSED] - row[SUPPRESSED], (row) => row[SUPPRESSED], (row) => row[REJECTED], (row) => row[MISSED]];
      parts.forEach((part, place) => {
        const above = rows.map((row, index) => below[index] + part(row));
        layers[place].setAttribute("d", area(rows.length, below, above, top));
        below = above;
      });
      chart.scale(`${top}`, `${seconds.rate().toFixed(1)} frames/s`);
    },
  };
}

/** A chart of the time from taken to verdict. */
export function latencyChart() {
  const slow = drawing("path", { class: "line slow" });
  const median = drawing("path", { class: "line median" });
  const chart = frame("From taken to verdict", [slow, median], [
    ["median", "median"],
    ["slow", "slowest 1 %"],
  ]);
  return {
    node: chart.node,
    draw({ rows }) {
      const top = niceTop(Math.max(1, ...rows.map((row) => row[SLOWEST])));
      median.setAttribute("d", line(rows, MEDIAN, top));
      slow.setAttribute("d", line(rows, SLOWEST, top));
      const newest = rows.length ? rows[rows.length - 1] : null;
      chart.scale(milliseconds(top), newest && newest[SLOWEST] > 0 ? `${milliseconds(newest[MEDIAN])} · ${milliseconds(newest[SLOWEST])}` : "–");
    },
  };
}

function frame(title, layers, keys) {
  const top = element("span", { class: "top-label" });
  const now = element("b", {});
  const drawn = drawing(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    drawing("line", { x1: 0, x2: WIDTH, y1: HEIGHT / 2, y2: HEIGHT / 2, class: "grid" }),
    layers,
    drawing("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5, class: "axis" }),
  );
  const legend = keys.map(([kind, label]) => element("span", { class: `key ${kind}` }, label));
  const node = element(
    "figure",
    { class: "chart" },
    element("figcaption", {}, element("span", {}, title), now),
    element("div", { class: "plot" }, top, drawn),
    element("p", { class: "read times small" }, element("span", {}, "5 minutes ago"), element("span", {}, "now")),
    element("p", { class: "read keys small" }, legend),
  );
  return {
    node,
    scale(topText, nowText) {
      top.textContent = topText;
      now.textContent = nowText;
    },
  };
}

function total(row) {
  return row[PASSED] + row[REJECTED] + row[MISSED];
}

/** From the left of a second to its right; the newest is at the right edge. */
function x(index, length) {
  return WIDTH - ((length - index) * WIDTH) / SECONDS;
}

function area(length, below, above, top) {
  if (!length) return "";
  const y = (value) => (HEIGHT - (value / top) * (HEIGHT - 4)).toFixed(1);
  const step = (values, index) => `${x(index, length).toFixed(1)} ${y(values[index])}L${x(index + 1, length).toFixed(1)} ${y(values[index])}`;
  const there = above.map((_, index) => step(above, index)).join("L");
  const back = below
    .map((_, index) => length - 1 - index)
    .map((index) => `${x(index + 1, length).toFixed(1)} ${y(below[index])}L${x(index, length).toFixed(1)} ${y(below[index])}`)
    .join("L");
  return `M${there}L${back}Z`;
}

function line(rows, column, top) {
  let path = "";
  let isDown = false;
  rows.forEach((row, index) => {
    if (row[column] <= 0) {
      isDown = false;
      return;
    }
    const y = (HEIGHT - (row[column] / top) * (HEIGHT - 4)).toFixed(1);
    path += `${isDown ? "L" : "M"}${x(index, rows.length).toFixed(1)} ${y}L${x(index + 1, rows.length).toFixed(1)} ${y}`;
    isDown = true;
  });
  return path;
}

/** The next of 1, 2, 5, 10, ... above a value. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 5, 10]) if (value <= step * power) return step * power;
  return 10 * power;
}
