// One's own account: another password, and signing out.

import { say, the } from "./dom.js";
import { begin, me, post, takeVisitor, tell, whenClicked, whenSent } from "./shell.js";

whenSent(the("password"), async ({ old, new: chosen, again }) => {
  if (chosen !== again) throw new Error("The two new passwords are not the same.");
  const told = await post("/api/password", { old, new: chosen });
  takeVisitor(told);
  the("password").reset();
  tell("Your password is changed. Elsewhere you are signed out.");
});
whenClicked(the("sign-out"), async () => {
  await post("/api/sign-out");
  location.assign("/sign-in");
});
await begin();
say(the("name"), me.user === null ? "Your account" : `Signed in as ${me.user} (${me.role})`);
the("password").elements.username.value = me.user ?? "";
