// What a run has changed of what tags point to, by itself or with those after an earlier one.

import {
  both, count, date, digestOf, fill, filters, get, h, hint, inOrder, options, shows, state, tall, TRIGGERS
} from "./kit.js";

/** Tags that are shown. */
const ROWS = 500;

/** Changes, the first of `total`; those that are still `to` come have other words. */
export const changesTable = (caption, all, empty, total = all.length, to = "") => [
  tall(
    caption,
    [
      ["Tag", (it) => it.tag],
      ["Change", (it) => state(to + it.change)],
      ["From", (it) => digestOf(it.tag, it.from)],
      ["To", (it) => digestOf(it.tag, it.to ?? it.held)]
    ],
    all.slice(0, ROWS),
    empty
  ),
  total > ROWS && hint(`The first ${ROWS} of ${count(total, "tag")}.`)
];

/** What a run of those at `where` has changed. */
export function changes(where) {
  const picker = h("select", { onchange: load }),
    place = h(),
    answers = inOrder();
  const element = h("div", { hidden: true }, h("h3", "What it changed"), filters(h("label", "Since ", picker)), place);
  let shown;
  return { element, show };

  /** Shows one run, and of which others, the newest first, one may be chosen. */
  function show(run, runs) {
    element.hidden = !(run.ended_at && run.tags_copied + run.tags_pruned + run.tags_held);
    if (element.hidden || shown === run.run_id) return;
    shown = run.run_id;
    const earlier = runs.slice(runs.findIndex((it) => it.run_id === shown) + 1 || runs.length),
      text = (it) => [it.run_id, `${both(date(it.started_at))}, ${TRIGGERS[it.trigger]}`];
    fill(picker, options([["", "the run before"], ...earlier.map(text)]));
    load();
  }

  function load() {
    const ask = () => get(`${where}/${shown}/changes`, { since: picker.value });
    answers.read(ask).then(draw).catch(shows(place));
  }

  function draw({ changes: all }) {
    fill(place, changesTable("What it changed", all, "Tags point to what they pointed to before."));
  }
}
