// What a run has changed of what tags point to, by itself or with those after an earlier one.

import { get } from "./api.js";
import { fill, h } from "./element.js";
import { options } from "./form.js";
import { copy, filters, hint, shows, state, table } from "./parts.js";
import { inOrder } from "./screen.js";
import { TRIGGERS, both, count, date, short } from "./text.js";

/** Tags that are shown. */
const ROWS = 500;

/** What a run of those at `where` has changed: `offer` says which there are, and `show` which one it is. */
export function changes(where) {
  const picker = h("select", { onchange: load }),
    place = h("div"),
    answers = inOrder();
  const element = h(
    "div",
    { hidden: true },
    h("h3", "What it changed"),
    filters(h("label", "Since ", picker)),
    place
  );
  let shown,
    runs = [];
  return { element, offer, show };

  /** Those before the one that is shown can be chosen. */
  function offer(all = runs) {
    runs = all;
    const at = runs.findIndex((it) => it.run_id === shown),
      chosen = picker.value,
      text = (it) => `${both(date(it.started_at))}, ${TRIGGERS[it.trigger] ?? it.trigger}`;
    fill(
      picker,
      options([["", "the run before"], ...(at < 0 ? [] : runs.slice(at + 1)).map((it) => [it.run_id, text(it)])])
    );
    picker.value = chosen;
    if (picker.selectedIndex < 0) picker.value = "";
  }

  function show(run) {
    const isOne = run.ended_at && run.tags_copied + run.tags_pruned + run.tags_held > 0;
    element.hidden = !isOne;
    if (!isOne || shown === run.run_id) return;
    shown = run.run_id;
    picker.value = "";
    offer();
    load();
  }

  function load() {
    const since = picker.value,
      ask = () => get(`${where}/${shown}/changes`, { since });
    return answers.read(ask).then(draw).catch(shows(place));
  }

  function draw({ changes: all }) {
    const digest = (field) => (it) => it[field] && copy(it[field], `a digest of ${it.tag}`, short(it[field]));
    fill(
      place,
      table(
        "What it changed",
        [
          ["Tag", (it) => it.tag],
          ["Change", (it) => state(it.change)],
          ["From", digest("from")],
          ["To", digest("to")],
          all.some((it) => it.held) && ["Waits", digest("held")]
        ],
        all.slice(0, ROWS),
        "Tags point to what they pointed to before."
      ),
      all.length > ROWS && hint(`The first ${ROWS} of ${count(all.length, "tag")}.`)
    );
  }
}
