// What all pages share: who looks, the station's state, requests to it, and what to say when they fail.

import { element, say, show, the } from "./dom.js";
import { lasting, moment } from "./format.js";
import { stateSign } from "./lamp.js";

const ROLES = ["viewer", "operator", "engineer"];
const SILENT_MS = 8000;

/** Who looks; see `/api/me`. */
export let me = { user: null, role: null, must_change: false, change_token: "" };

/** Takes over who looks from an answer. */
export function takeVisitor(visitor) {
  me = visitor;
}

/** Whether whoever looks may do what a role may. */
export function may(role) {
  return me.user !== null && ROLES.indexOf(me.role) >= ROLES.indexOf(role);
}

/** Asks the station for something. */
export async function get(address) {
  return answered(await fetch(address, { headers: { Accept: "application/json" } }));
}

/** Asks the station to do something. */
export async function post(address, body = {}) {
  const headers = { "Content-Type": "application/json", "X-Change-Token": me.change_token };
  return answered(await fetch(address, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** Says something for a while: what was done, or (`fault`) what could not be. */
export function tell(text, { fault = false } = {}) {
  const note = element("p", { class: fault ? "note fault" : "note", click: () => note.remove() }, text);
  the("said").replaceChildren(note);
  setTimeout(() => note.remove(), fault ? 15000 : 5000);
}

/** Does something at a click, once at a time, and says what went wrong. */
export function whenClicked(button, action) {
  button.addEventListener("click", () => guarded(button, action));
}

/** Does something with a form's values when it is sent. */
export function whenSent(form, action) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(form.querySelector("[type=submit]"), () => action(Object.fromEntries(new FormData(form))));
  });
}

/** Lets people touch the page: its script hears of it from now on. */
export function ready() {
  document.querySelector("main").inert = false;
}

/** Fills the header and follows the station; `on` has functions by the kind of message, `load` fetches what the page needs. */
export async function begin({ pictures = false, on = {}, load = async () => {} } = {}) {
  whenClicked(the("theme"), changeTheme);
  me = await get("/api/me");
  if (me.user !== null) say(the("account"), `${me.user} · ${me.role}`);
  show(the("account"), me.user !== null);
  show(the("sign-in"), me.user === null);
  for (const node of document.querySelectorAll("[data-needs]")) show(node, may(node.dataset.needs));
  new Stream(pictures, on);
  await load();
  ready();
  return me;
}

async function answered(response) {
  const isJson = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
  const document_ = isJson ? await response.json() : {};
  if (response.ok) return document_;
  if (response.status === 401 && !location.pathname.startsWith("/sign-in")) toSignIn();
  throw new Error(document_.error ?? `The station answered with ${response.status}.`);
}

async function guarded(button, action) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await action();
  } catch (error) {
    tell(error instanceof TypeError ? "The station cannot be reached." : error.message, { fault: true });
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function toSignIn() {
  location.assign(`/sign-in?then=${encodeURIComponent(location.pathname + location.search)}`);
}

function changeTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}

/** The station's messages: comes back by itself, and says for how long it has been cut off. */
class Stream {
  constructor(pictures, on) {
    this.address = `/api/live?pictures=${pictures ? "yes" : "no"}`;
    this.on = on;
    this.source = null;
    this.heard = Date.now();
    this.open();
    setInterval(() => this.look(), 1000);
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.wake()));
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", () => this.wake());
  }

  wake() {
    this.heard = Date.now();
    this.open();
  }

  open() {
    if (this.source !== null || document.hidden) return;
    const source = new EventSource(this.address);
    this.source = source;
    this.tried = Date.now();
    for (const kind of ["status", "frame", "rates"]) {
      source.addEventListener(kind, (event) => this.hear(kind, JSON.parse(event.data)));
    }
    source.addEventListener("signed-out", toSignIn);
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  hear(kind, message) {
    this.heard = Date.now();
    this.isFull = false;
    this.say(false);
    if (kind === "status") {
      the("state").replaceChildren(stateSign(message.state));
      this.state = message;
    }
    this.on[kind]?.(message);
  }

  look() {
    if (document.hidden) return;
    const silent = Date.now() - this.heard;
    if (silent > 3000) this.say(true, silent);
    const isDead = this.source === null || this.source.readyState === EventSource.CLOSED;
    if ((isDead && Date.now() - this.tried > 1500) || (silent > SILENT_MS && Date.now() - this.tried > SILENT_MS)) {
      this.close();
      this.open();
      this.whyDead();
    }
  }

  say(isCutOff, silent = 0) {
    document.body.classList.toggle("is-cut-off", isCutOff);
    show(the("cut-off"), isCutOff);
    if (!isCutOff) return;
    the("state").replaceChildren(stateSign("cut off"));
    const since = moment((Date.now() - silent) / 1000);
    say(
      the("cut-off"),
      this.isFull ? "As many browsers look at this station as it serves at once. Trying again …" : `Cut off from the station for ${lasting(silent / 1000)}: what you see is as it was at ${since}. Trying again …`,
    );
  }

  /** An event source does not say why it was refused: asking does, and leads to the sign-in where that is why. */
  whyDead() {
    get("/api/status")
      .then(() => (this.isFull = true))
      .catch(() => (this.isFull = false));
  }
}
