// Who is told of what happens to a repository's mirror, or to those of an organization; and what its people were told.

import {
  actions, ask, box, button, call, count, doing, every, fill, get, h, inOrder, isAdmin, link, outdated, p, path,
  prompt, shows, small, state, table, time, toRepository, worded
} from "./kit.js";
import { FIELDS, eventText, goesTo, isAsked, toNotification } from "./notification.js";

/** How soon a failure that was counted is seen. */
const POLL = 3000;

/** Shows those at `where`, until the screen is left. */
export function notifications(where, namespace) {
  const list = h(),
    stale = h(),
    said = h("div", { role: "status" }),
    answers = inOrder();
  let shown;
  every(POLL, load, outdated(stale));
  return box("Events and notifications", stale, list, said, actions(button("New notification…", create)));

  async function load() {
    const { notifications: all } = await answers.read(() => get(where)),
      key = JSON.stringify(all);
    if (key === shown) return;
    shown = key;
    fill(
      list,
      table(
        "Notifications",
        [
          ["Title", (it) => h("strong", it.title || "–")],
          ["Event", (it) => eventText(it.event)],
          ["To", (it) => [goesTo(it), it.signed && h("small", "Signed")]],
          ["State", standing],
          ["", acts]
        ],
        all,
        "Nobody is told of what happens."
      )
    );
  }
  /** Changes something, and shows what is there then. */
  async function change(...what) {
    await answers.change(() => call(...what));
    load().catch(shows(stale));
  }
  function create() {
    prompt("New notification", FIELDS, {
      values: { target: namespace },
      changed: ({ method }, { controls }) => {
        for (const [name, { element }] of controls) element.hidden = !isAsked(name, method);
      },
      task: (filled) => change("POST", where, { body: toNotification(filled) })
    });
  }
  function acts(it) {
    const name = it.title || eventText(it.event),
      at = `${where}/${it.uuid}`,
      post = (to, told) => (event) =>
        doing(event.currentTarget, said, async () => {
          await change("POST", to);
          fill(said, p(told));
        });
    return actions(
      small("Test", name, post(`${at}/test`, `A sample is on its way. ${goesTo(it)}`)),
      it.number_of_failures > 0 && small("Enable", name, post(at, "It is on.")),
      small(
        "Delete",
        name,
        () =>
          ask({
            title: `Delete ${name}?`,
            text: "Nobody is told any more:",
            lost: [`${eventText(it.event)}. ${goesTo(it)}`, ...(it.signed ? ["Its secret"] : [])],
            task: () => change("DELETE", at)
          }),
        true
      )
    );
  }
}

/** Whether it is on, and what was not delivered. */
const standing = ({ enabled, number_of_failures: failures }) => [
  enabled ? state(failures ? "WARNING" : "fine", "On") : state("FAIL", "Off: nothing is sent"),
  failures > 0 && h("small", `${count(failures, "message")} in a row not delivered`)
];

/** The notifications of an organization, and what its people were told. */
export async function show(content, { name }) {
  const place = h(),
    may = isAdmin(name);
  fill(
    content,
    may && notifications(path`organization/${name}/notifications`, name),
    box("Notes of the last thirty days", place)
  );
  const { notes } = await get(path`organization/${name}/notes`);
  fill(
    place,
    table(
      "Notes",
      [
        ["When", (it) => time(it.created)],
        ["Event", (it) => eventText(it.kind)],
        [
          "Repository",
          ({ metadata: { repository, run_id: run } }) =>
            link(toRepository(repository, may && "mirroring", may && { run }), repository)
        ],
        ["What", (it) => worded(it.metadata.message)]
      ],
      notes,
      "There are none."
    )
  );
}
