// All people who have signed in here, for who may do everything.

import {
  actions, ask, call, fill, get, growing, h, heading, hint, path, person, removal, shows, small, state, table
} from "./kit.js";

const PAGE = 100;

export async function show(view) {
  const list = h(),
    place = h(),
    where = (it) => path`superuser/users/${it.username}`;
  const load = growing(read, draw, place),
    again = () => load().catch(shows(place));
  fill(view, heading("Users"), hint("People are known here from their first sign-in on."), place, list);
  await load();

  async function read(after) {
    const { users, next_page: next } = await get("superuser/users/", { limit: PAGE, next_page: after });
    return [users, next];
  }

  function draw(users, more) {
    fill(
      list,
      table(
        "Users",
        [
          ["Name", (it) => h("strong", it.username)],
          ["Mail", (it) => it.email],
          ["May do", (it) => (it.super_user ? "Everything" : "What they were given")],
          ["State", (it) => (it.enabled ? state("fine", "Enabled") : state("OFF", "Disabled"))],
          ["", (it) => it.username !== person() && acts(it)]
        ],
        users,
        "Nobody has signed in yet."
      ),
      more
    );
  }

  function acts(it) {
    const name = it.username;
    const lost = [`The roles and memberships of ${name}`, "Their app tokens, and the API's tokens that they have made"];
    return actions(
      it.enabled ? small("Disable", name, () => disable(it)) : small("Enable", name, () => enable(it).catch(shows(place))),
      removal(name, "Whoever signs in by this name later is somebody else.", where(it), again, "Delete", lost)
    );
  }

  async function disable(it) {
    const done = await ask({
      title: `Disable ${it.username}?`,
      verb: "Disable",
      text: "What they have stays, and is of no use to them until they are enabled again.",
      task: () => change(it, false)
    });
    if (done) await again();
  }
  async function enable(it) {
    await change(it, true);
    await again();
  }
  function change(it, enabled) {
    return call("PUT", where(it), { body: { enabled } });
  }
}
