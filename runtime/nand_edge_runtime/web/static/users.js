// The users page: who may sign in, with which role.

import { element, the } from "./dom.js";
import { moment } from "./format.js";
import { begin, get, me, post, tell, whenClicked, whenSent } from "./shell.js";

async function load() {
  const { users, roles } = await get("/api/users");
  const select = the("add").elements.role;
  if (select.options.length === 0) select.append(...roles.map((role) => element("option", {}, role)));
  the("users").replaceChildren(...users.map((user) => row(user, roles)));
}

function row(user, roles) {
  const isMe = user.name === me.user;
  const select = element("select", { "aria-label": `Role of ${user.name}` }, roles.map((role) => element("option", { selected: role === user.role }, role)));
  select.addEventListener("change", () => change({ name: user.name, role: select.value }, `${user.name} is ${select.value} now.`));
  const given = element("button", { type: "button", class: "quiet" }, "New password");
  whenClicked(given, async () => {
    const password = prompt(`A new first password for ${user.name}, ten characters or more:`);
    if (password) await change({ name: user.name, password }, `${user.name} has a new password, to be changed at the next sign-in.`);
  });
  const remove = element("button", { type: "button", class: "quiet danger" }, "Remove");
  whenClicked(remove, async () => {
    if (!confirm(`Remove ${user.name}?`)) return;
    await post("/api/users/remove", { name: user.name });
    tell(`${user.name} is removed.`);
    await load();
  });
  const since = user.must_change ? "to be chosen at the first sign-in" : `since ${moment(user.changed)}`;
  return element(
    "tr",
    {},
    element("td", { "data-label": "Name" }, element("b", { translate: "no" }, user.name), isMe ? element("small", {}, "you") : ""),
    element("td", { "data-label": "Role" }, select),
    element("td", { "data-label": "Password" }, since),
    element("td", {}, isMe ? "" : element("div", { class: "actions" }, given, remove)),
  );
}

async function change(body, said) {
  try {
    await post("/api/users", body);
    tell(said);
  } catch (error) {
    tell(error.message, { fault: true });
  }
  await load();
}

whenSent(the("add"), async (values) => {
  await post("/api/users", values);
  tell(`${values.name} may sign in now.`);
  the("add").reset();
  await load();
});
await begin();
await load().catch((error) => tell(error.message, { fault: true }));
