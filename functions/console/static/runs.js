// The runs of a mirror, newest first; the one that goes on, or that was chosen, in full.

import { get, path } from "./api.js";
import { h, fill } from "./element.js";
import { box, button, quiet, state, table, time } from "./parts.js";
import { toRepository } from "./route.js";
import { runView } from "./run.js";
import { TRIGGERS, bytes, date, digits, span } from "./text.js";

const PAGE = 20;

/** The runs. `chosen` is one that the address names. */
export function runList(name, chosen) {
  const title = h("h2", {}, "Latest run"),
    one = runView(),
    list = h("div"),
    more = h("div");
  const current = h("section", { class: "box", label: "Run", hidden: true }, title, one.element);
  const all = box("Runs", list, more);
  let shown,
    known,
    older = [],
    next;
  return { current, all, update, latest };

  async function latest() {
    const {
      runs: [run]
    } = await get(path`repository/${name}/mirror/runs`, { limit: 1 });
    return run && read(run.run_id);
  }

  function read(id) {
    return get(path`repository/${name}/mirror/runs/${id}`);
  }

  /** Reads what is new: all of it while a sync goes on, else only if the newest run is another one or ended. */
  async function update() {
    const { runs, next_page: after } = await get(path`repository/${name}/mirror/runs`, { limit: PAGE });
    const key = JSON.stringify(runs.map((run) => [run.run_id, run.status, run.tags_done, run.bytes_done]));
    if (key === known) return;
    if (!older.length) next = after;
    const id = chosen && !runs.some((run) => run.status === "SYNCING") ? chosen : runs[0]?.run_id;
    current.hidden = !id;
    draw([...runs, ...older.filter((run) => !runs.some((it) => it.run_id === run.run_id))]);
    if (!id) {
      known = key;
      return;
    }
    const run = await read(id);
    fill(title, run.status === "SYNCING" ? "Running now" : id === runs[0]?.run_id ? "Latest run" : "The chosen run");
    one.update(run);
    // Only now: what could not be read is asked for with the next poll.
    known = key;
    if (shown !== id && id === chosen) current.scrollIntoView();
    shown = id;
  }

  function draw(runs) {
    fill(
      list,
      table(
        "Runs",
        [
          [
            "Began",
            (run) => h("a", { href: toRepository(name, "mirroring", { run: run.run_id }) }, time(run.started_at))
          ],
          ["State", (run) => [state(`run ${run.status}`), run.failure && h("small", {}, run.failure.message)]],
          ["Trigger", (run) => TRIGGERS[run.trigger] ?? run.trigger],
          ["Took", (run) => (run.ended_at ? span((date(run.ended_at) - date(run.started_at)) / 1000) : "–"), "number"],
          ["Tags", (run) => `${digits(run.tags_done)} / ${digits(run.tags_total)}`, "number"],
          [
            "Changed",
            (run) =>
              [
                run.tags_copied && `${run.tags_copied} copied`,
                run.tags_pruned && `${run.tags_pruned} deleted`,
                run.tags_repaired && `${run.tags_repaired} repaired`,
                run.tags_failed && `${run.tags_failed} failed`
              ]
                .filter(Boolean)
                .join(", ") || quiet("nothing")
          ],
          ["Copied", (run) => bytes(run.bytes_copied), "number"]
        ],
        runs,
        "It has not run yet. Sync Now starts it."
      )
    );
    fill(
      more,
      next &&
        button("Show more", async () => {
          const answer = await get(path`repository/${name}/mirror/runs`, { limit: PAGE, next_page: next });
          older = older.concat(answer.runs);
          next = answer.next_page;
          draw([...runs, ...answer.runs]);
        })
    );
  }
}
