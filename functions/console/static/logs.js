// Usage logs: of a repository, of an organization, or of the user's own namespace.

import { get, path } from "./api.js";
import { h, fill } from "./element.js";
import { GROUPS, logText } from "./log-text.js";
import { button, filters, heading, hint, quiet, shows, table, time } from "./parts.js";
import { toScreen } from "./route.js";
import { organizations } from "./session.js";
import { count, usDate } from "./text.js";

const DAY = 86_400_000;
/** Pages that are read for a filter before it says that it found nothing more. */
const READ_ON = 5;
const ENOUGH = 20;

export async function show(view, { query }) {
  const names = await organizations();
  const chosen = names.includes(query.namespace) ? query.namespace : names[0];
  const content = h("div");
  const picker = h(
    "select",
    {
      id: "log-of",
      onchange: () => {
        location.hash = toScreen("logs", { namespace: picker.value });
      }
    },
    names.map((name) => h("option", { value: name, selected: name === chosen }, name))
  );
  fill(
    view,
    heading("Usage logs"),
    filters(
      h("label", { for: "log-of" }, "Namespace ", picker),
      hint("What was done by hand. Syncs are in the logs of their repositories.")
    ),
    content
  );
  if (chosen) await ofOrganization(content, { name: chosen });
}

export const ofRepository = (content, { name }) => log(content, path`repository/${name}/logs`);
export const ofOrganization = (content, { name }) => log(content, path`organization/${name}/logs`);

async function log(content, where) {
  const today = new Date(),
    day = (date) => date.toISOString().slice(0, 10);
  const from = h("input", { type: "date", value: day(new Date(today - 6 * DAY)), onchange: again }),
    to = h("input", { type: "date", value: day(today), onchange: again });
  const text = h("input", { type: "search", label: "Search the log", placeholder: "Search", oninput: draw });
  const group = h(
    "select",
    {
      onchange: () => {
        draw();
        readOn().catch(shows(place));
      }
    },
    GROUPS.map(([key, label]) => h("option", { value: key }, label))
  );
  const list = h("div"),
    place = h("div"),
    shown = h("p", { class: "quiet", role: "status" });
  let entries = [],
    next;
  fill(
    content,
    filters(
      h("label", {}, "From (UTC) ", from),
      h("label", {}, "to ", to),
      h("label", {}, "About ", group),
      text,
      shown
    ),
    place,
    list
  );
  await load(false);

  async function load(more) {
    const answer = await get(where, {
      starttime: usDate(from.value),
      endtime: usDate(to.value),
      next_page: more ? next : undefined
    });
    entries = more ? entries.concat(answer.logs) : answer.logs;
    next = answer.next_page;
    fill(place);
    draw();
  }
  /** With a filter, a page may hold nothing that is wanted. */
  async function readOn() {
    for (let page = 0; next && visible().length < ENOUGH && page < READ_ON; page += 1) await load(true);
  }
  function again() {
    if (from.value && to.value) load(false).then(readOn).catch(shows(place));
  }
  function visible() {
    const wanted = text.value.trim().toLowerCase(),
      takes = GROUPS.find(([key]) => key === group.value)[2];
    return entries.filter(
      (entry) =>
        takes(entry.kind) &&
        (!wanted || `${logText(entry)} ${entry.performer?.name ?? ""}`.toLowerCase().includes(wanted))
    );
  }
  function draw() {
    const found = visible();
    fill(shown, `${count(found.length, "entry", "entries")}${next ? " so far" : ""}`);
    fill(
      list,
      table(
        "Usage log",
        [
          ["When", (entry) => time(entry.datetime)],
          ["What", (entry) => h("span", { class: /failed/.test(entry.kind) ? "late" : undefined }, logText(entry))],
          ["By", (entry) => entry.performer?.name ?? quiet("the sync")],
          ["Address", (entry) => entry.ip ?? "–"]
        ],
        found,
        "Nothing was logged in this time."
      ),
      next && button("Show more", () => load(true).then(readOn).catch(shows(place)))
    );
  }
}
