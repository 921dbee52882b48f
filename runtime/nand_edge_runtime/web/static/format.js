// Numbers and moments as people read them.

/** A score: three digits behind the point, or a dash. */
export function score(value) {
  return typeof value === "number" ? value.toFixed(3) : "–";
}

/** A count with its thousands apart. */
export function count(value) {
  return Number(value).toLocaleString("en").replaceAll(",", "\u202f");
}

/** Milliseconds. */
export function milliseconds(value) {
  if (typeof value !== "number") return "–";
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ms`;
}

/** A moment, seconds since 1970: its time of day, with the date where that is not today. */
export function moment(seconds) {
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) return "–";
  const today = at.toDateString() === new Date().toDateString();
  return today ? time(at) : `${date(at)} ${time(at)}`;
}

/** A moment with its date and thousandths. */
export function exactly(seconds) {
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) return "–";
  return `${date(at)} ${time(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** How long something lasts, in one unit. */
export function lasting(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  if (whole < 172800) return `${Math.round(whole / 3600)} h`;
  return `${Math.round(whole / 86400)} days`;
}

/** The address of a frame's page. */
export function frameAddress(frame) {
  return `/frame?${keyOf(frame)}`;
}

/** The address of one of a frame's pictures. */
export function pictureAddress(frame, view) {
  return `/api/picture?${keyOf(frame)}&view=${view}`;
}

function keyOf(frame) {
  return new URLSearchParams({ run: frame.run, camera: frame.camera, number: frame.number }).toString();
}

function date(at) {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

function time(at) {
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function two(number) {
  return String(number).padStart(2, "0");
}
