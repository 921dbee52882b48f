// The sign-in, and the first password of one's own.

import { show, the } from "./dom.js";
import { post, ready, takeVisitor, whenSent } from "./shell.js";

let old = "";

/** Where the visitor was going: a place on this station, never elsewhere. */
function goOn() {
  const wanted = new URL(new URLSearchParams(location.search).get("then") || "/", location.origin);
  location.assign(wanted.origin === location.origin && wanted.pathname !== "/sign-in" ? wanted.pathname + wanted.search : "/");
}

whenSent(the("enter"), async ({ name, password }) => {
  const told = await post("/api/sign-in", { name, password });
  takeVisitor(told);
  if (!told.must_change) return goOn();
  old = password;
  show(the("enter"), false);
  show(the("first"), true);
  the("first").elements.username.value = name;
  the("first").elements.new.focus();
});
whenSent(the("first"), async ({ new: chosen, again }) => {
  if (chosen !== again) throw new Error("The two passwords are not the same.");
  await post("/api/password", { old, new: chosen });
  goOn();
});
ready();
the("enter").elements.name.focus();
