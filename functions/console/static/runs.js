// The runs of a mirror, newest first; the one that goes on, or that was chosen, in full.

import { changes } from "./changes.js";
import {
  acting, actions, ask, box, button, bytes, call, digits, dollars, fill, get, h, hint, inOrder, link, path, state, table,
  time, toRepository, TRIGGERS
} from "./kit.js";
import { turnBack } from "./rollback.js";
import { came, runView, took } from "./run.js";

const PAGE = 20;
/** The newest runs, of which one held back what is still held back. */
const SEARCHED = 100;
/** What goes with a pin. */
const ONLY = "Images that only it keeps";

/** What a month of such runs would cost. */
const monthly = ({ runs, month, prices }) =>
  runs > 0 &&
  hint(
    `A month like this: ${dollars(month.total)} with storage, by AWS's prices of ${prices.date} in ${prices.region}.`
  );

/** The runs. `chosen` is one that the address names; `begun` is told that another one was begun here. */
export function runList(name, chosen, begun) {
  const where = path`repository/${name}/mirror/runs`,
    answers = inOrder();
  const title = h("h2", "Latest run"),
    view = runView(),
    changed = changes(where),
    costs = h(),
    list = h(),
    place = h();
  const more = acting("Show more", place, showMore, { hidden: true });
  const back = button("Turn back to this run…", async () => {
    if (!(await turnBack(name, run))) return;
    // The newest run is what matters now.
    chosen = known = null;
    history.replaceState(null, "", toRepository(name, "mirroring"));
    await begun();
  });
  const pin = acting("Pin", place, async () => {
    const it = `${where}/${run.run_id}/pin`;
    if (!run.pinned) await call("PUT", it);
    else if (!(await ask({ title: "Unpin this run?", verb: "Let it go", lost: [ONLY], remove: it }))) return;
    known = null;
    await update();
  });
  const current = h(
    "section.box",
    { label: "Run", hidden: true },
    h("div.heading", title, actions(pin, back)),
    place,
    view.element,
    changed.element
  );
  const all = box("Runs", costs, list, more);
  let run,
    shown,
    above,
    known,
    read = [],
    next;
  return { current, all, update, held, pinned };

  /** What is lost with the pins: that of the newest runs by their names. */
  async function pinned() {
    const { runs } = await get(where, { limit: SEARCHED });
    return ["All pins", ...runs.filter((it) => it.pinned).map((it) => ["Run of ", time(it.started_at), `: ${ONLY}`])];
  }

  /** The tags whose deletion the last run held back that came to that: later ones may have failed before. */
  async function held() {
    const { runs } = await get(where, { limit: SEARCHED }),
      run = runs.find((it) => it.warning?.reason === "deletions_held");
    return run ? (await one(run.run_id)).tags.filter((it) => it.outcome === "held").map((it) => it.tag) : [];
  }

  function one(id) {
    return get(`${where}/${id}`);
  }

  /** Reads what is new: all of it while a sync goes on, else only if the newest run is another one or ended. */
  async function update() {
    const { runs, next_page: after } = await answers.read(() => get(where, { limit: PAGE }));
    const key = JSON.stringify(runs.map((run) => [run.run_id, run.status, run.tags_done, run.bytes_done]));
    if (key === known) return;
    if (!read.length) next = after;
    const id = chosen && !runs.some((run) => run.status === "SYNCING") ? chosen : runs[0]?.run_id;
    above = id;
    draw(runs, read);
    if (!id) {
      known = key;
      return;
    }
    run = await one(id);
    current.hidden = false;
    pin.hidden = back.hidden = !run.ended_at;
    fill(pin, run.pinned ? "Unpin" : "Pin");
    fill(title, run.status === "SYNCING" ? "Running now" : id === runs[0]?.run_id ? "Latest run" : "The chosen run");
    view.update(run);
    changed.show(run, read);
    if (run.status !== "SYNCING") fill(costs, monthly(await get(path`repository/${name}/mirror/cost`)));
    // Only now: what could not be read is asked for with the next poll.
    known = key;
    if (shown !== id && id === chosen) current.scrollIntoView();
    shown = id;
  }

  async function showMore() {
    const answer = await get(where, { limit: PAGE, next_page: next });
    next = answer.next_page;
    draw(read, answer.runs);
  }

  /** Shows runs, and what others there are besides. */
  function draw(runs, others) {
    read = [...runs, ...others.filter((other) => runs.every((it) => it.run_id !== other.run_id))];
    more.hidden = !next;
    fill(
      list,
      table(
        "Runs",
        [
          [
            "Began",
            (run) => link(toRepository(name, "mirroring", { run: run.run_id }), time(run.started_at))
          ],
          [
            "State",
            (run) => [
              state(`run ${run.status}`),
              run.pinned && h("small", "Pinned"),
              run.failure && run.run_id !== above && h("small", run.failure.message)
            ]
          ],
          ["Trigger", (run) => TRIGGERS[run.trigger] ?? run.trigger],
          ["Took", (run) => (run.ended_at ? took(run) : "–"), "number"],
          ["Tags", (run) => `${digits(run.tags_done)} / ${digits(run.tags_total)}`, "number"],
          [
            "Came to",
            (run) =>
              came(run)
                .filter(([number]) => number)
                .map((it) => it.join(" "))
                .join(", ")
          ],
          ["Copied", (run) => bytes(run.bytes_copied), "number"]
        ],
        read,
        "It has not run yet."
      )
    );
  }
}
