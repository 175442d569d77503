// Usage logs: of a repository, of an organization, or of the user's own namespace.

import {
  administered, count, fill, filters, get, go, growing, h, heading, hint, options, path, quiet, searchField, shows,
  table, time, toScreen, usDate
} from "./kit.js";
import { GROUPS, logText } from "./log-text.js";

const DAY = 86_400_000;
/** Pages that are read for a filter before it says that it found nothing more. */
const READ_ON = 5;
const ENOUGH = 20;

export async function show(view, { query }) {
  const names = administered(),
    chosen = names.includes(query.namespace) ? query.namespace : names[0];
  const content = h();
  const picker = h(
    "select",
    { id: "log-of", onchange: () => go(toScreen("logs", { namespace: picker.value })) },
    options(names)
  );
  picker.value = chosen ?? "";
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
  else fill(content, hint("There is no organization yet."));
}

export const ofRepository = (content, { name }) => log(content, path`repository/${name}/logs`);
export const ofOrganization = (content, { name }) => log(content, path`organization/${name}/logs`);

async function log(content, where) {
  const today = new Date(),
    day = (date) => date.toISOString().slice(0, 10);
  const from = h("input", { type: "date", value: day(new Date(today - 6 * DAY)), onchange: again }),
    to = h("input", { type: "date", value: day(today), onchange: again });
  const text = searchField("Search the log", { oninput: () => draw(...last) });
  const group = h("select", { onchange: again }, options(GROUPS));
  const list = h(),
    place = h(),
    shown = h("p.quiet", { role: "status" });
  const load = growing(read, draw, place);
  let last = [[]];
  fill(
    content,
    filters(
      h("label", "From (UTC) ", from),
      h("label", "to ", to),
      h("label", "About ", group),
      text,
      shown
    ),
    place,
    list
  );
  await load();

  async function read(after) {
    const found = [],
      query = { starttime: usDate(from.value), endtime: usDate(to.value) };
    // With a filter, a page may hold nothing that is wanted.
    for (let page = 0; page < READ_ON && (!page || (after && found.filter(wanted()).length < ENOUGH)); page += 1) {
      const answer = await get(where, { ...query, next_page: after });
      found.push(...answer.logs);
      after = answer.next_page;
    }
    return [found, after];
  }
  function again() {
    if (from.value && to.value) load().catch(shows(place));
  }
  function wanted() {
    const word = text.value.trim().toLowerCase(),
      takes = GROUPS.find(([key]) => key === group.value)[2];
    return (entry) =>
      takes(entry) && `${logText(entry)} ${entry.performer?.name ?? ""}`.toLowerCase().includes(word);
  }
  function draw(all, more) {
    last = [all, more];
    const found = all.filter(wanted());
    fill(shown, `${count(found.length, "entry", "entries")}${more ? " so far" : ""}`);
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
      more
    );
  }
}
