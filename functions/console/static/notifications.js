// Who is told of what happens to a repository's mirror, or to those of an organization; and what its people were told.

import { call, get, path } from "./api.js";
import { ask, prompt } from "./dialog.js";
import { fill, h, p } from "./element.js";
import { controlOf } from "./form.js";
import { worded } from "./mirror-fields.js";
import {
  EVENTS,
  METHODS,
  REASONS,
  blamed,
  eventText,
  goesTo,
  isAsked,
  toNotification
} from "./notification.js";
import { actions, box, button, copy, doing, hint, link, outdated, shows, state, table, time } from "./parts.js";
import { toRepository } from "./route.js";
import { every, inOrder } from "./screen.js";
import { isAdmin } from "./session.js";
import { count } from "./text.js";

/** How soon a failure that was counted is seen. */
const POLL = 3000;
/** Bytes of a secret that is made here. */
const SECRET = 32;

const FIELDS = [
  { name: "title", label: "Title" },
  { name: "event", label: "Event", kind: "select", options: Object.entries(EVENTS) },
  {
    name: "method",
    label: "Method",
    kind: "select",
    options: Object.entries(METHODS).map(([name, [text]]) => [name, text])
  },
  { name: "url", label: "URL", also: /URL/ },
  {
    name: "template",
    label: "Template",
    kind: "area",
    also: /expression/,
    help: "JSON with ${…} paths, as ${message}. Empty: the whole body."
  },
  {
    name: "secret",
    label: "Secret",
    kind: "password",
    make: secret,
    help: "Messages are signed with it: whsec_ and base64. Empty: they are not."
  },
  { name: "topic_arn", label: "ARN of the topic" },
  { name: "bus", label: "Event bus", help: "Its name or ARN." },
  {
    name: "people",
    label: "For",
    kind: "select",
    options: [
      ["org", "The organization"],
      ["team", "A team"],
      ["user", "A user"]
    ]
  },
  { name: "target", label: "Name", also: /must match/ },
  { group: "Only some of them", more: true },
  { name: "only", label: "Only of runs with a", kind: "several", options: ["failure", "change", "recovery"] },
  { name: "tags", label: "Tags", kind: "csv", placeholder: "latest, v1.*" },
  {
    name: "min_interval",
    label: "At most one in",
    kind: "duration",
    units: ["minutes", "hours", "days"],
    help: "What is not sent for it is not sent later."
  },
  { name: "intervals", label: "Intervals without success", kind: "number", min: 1, help: "Empty: two." },
  { name: "every_attempt", label: "Of each attempt, not only of how a run ends", kind: "checkbox" },
  { name: "reasons", label: "Reasons of failures", kind: "several", options: REASONS }
];

/** A secret with a button that makes one, and shows it. */
function secret(field, value) {
  const control = controlOf(field, value),
    shown = h("div", { role: "status" });
  const make = () => {
    const text = `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(SECRET))))}`;
    control.set(text);
    fill(shown, p("It is shown this once, for the receiver:"), copy(text, "the secret"));
  };
  control.input.addEventListener("input", () => fill(shown));
  control.element.append(button("Make a random one", make, "small"), shown);
  return control;
}

const named = (it) => it.title || eventText(it.event);

/** Shows those at `where`, until the screen is left. */
export function notifications(where, namespace) {
  const list = h("div"),
    stale = h("div"),
    said = h("div", { role: "status" }),
    answers = inOrder();
  const element = box("Events and notifications", stale, list, said, actions(button("New notification…", create)));
  let shown;
  every(POLL, load, outdated(stale));
  return element;

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
          ["To", (it) => [METHODS[it.method][0], h("small", goesTo(it)), it.signed && h("small", "Signed")]],
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
  async function create() {
    await prompt("New notification", FIELDS, {
      values: { people: "org", target: namespace },
      changed: (filled, { controls }) => {
        for (const [name, { element }] of controls) element.hidden = !isAsked(name, filled);
      },
      task: (filled) =>
        change("POST", where, { body: toNotification(filled) }).catch((error) => {
          throw Object.assign(error, { field: blamed(error.message) });
        })
    });
  }
  function acts(it) {
    const small = (text, onclick, kind = "") =>
        button(text, onclick, { class: `small ${kind}`, label: `${text} ${named(it)}` }),
      post = (end, told) => (event) =>
        doing(event.currentTarget, said, async () => {
          await change("POST", `${where}/${it.uuid}${end}`);
          fill(said, p(told));
        });
    return actions(
      small("Test", post("/test", `A sample is on its way to ${goesTo(it)}.`)),
      it.number_of_failures > 0 && small("Enable", post("", "It is on, and its failures are counted anew.")),
      small("Delete", () => remove(it), "danger")
    );
  }
  function remove(it) {
    return ask({
      title: `Delete ${named(it)}?`,
      text: "Nobody is told any more:",
      lost: [`${eventText(it.event)}, to ${goesTo(it)}`, ...(it.signed ? ["Its secret"] : [])],
      task: () => change("DELETE", `${where}/${it.uuid}`)
    });
  }
}

/** Whether it is on, and what was not delivered. */
function standing({ enabled, number_of_failures: failures }) {
  return [
    enabled ? state(failures ? "WARNING" : "fine", "On") : state("FAIL", "Off: nothing is sent"),
    failures > 0 && h("small", `${count(failures, "message")} in a row not delivered`)
  ];
}

/** The notifications of an organization, and what its people were told. */
export async function show(content, { name }) {
  const place = h("div");
  fill(
    content,
    isAdmin(name) && notifications(path`organization/${name}/notifications`, name),
    box("Notes", hint("What people were told here in the last thirty days."), place)
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
            link(isAdmin(name) ? toRepository(repository, "mirroring", { run }) : toRepository(repository), repository)
        ],
        ["What", (it) => worded(it.metadata.message)],
        ["For", (it) => goesTo({ config: it })]
      ],
      notes,
      "There are none. The method Note in the console makes them."
    )
  );
}
