// One run: how far it is, what became of each tag, and what to do about those that failed.

import { judged } from "./judged.js";
import {
  advises, bytes, count, date, digestOf, digits, dollars, facts, fill, h, hint, p, problem, span, state, tall, tally, time,
  TRIGGERS, warned, worded, WORDS
} from "./kit.js";

/** Tags that are shown, the worst first. */
const ROWS = 500;
const ORDER = ["failed", "refused", "held", "pruned", "repaired", "copied", "skipped", "unchanged"];

/** A run that can be shown again as it goes on. */
export function runView() {
  const bars = h(),
    words = h(),
    tags = h();
  const [tagBar, showTags] = bar("Tags", digits),
    [byteBar, showBytes] = bar("Bytes", bytes);
  const progress = h("div.progress", tagBar, byteBar);
  let shown;
  return { element: h("div.run", bars, words, tags), update };

  function update(run) {
    const runs = run.status === "SYNCING";
    if (runs) {
      if (!progress.isConnected) fill(bars, progress);
      showTags(run.tags_done, run.tags_total);
      showBytes(run.bytes_done, run.bytes_total);
    } else fill(bars);
    const key = JSON.stringify({
      ...run,
      tags: run.tags?.length,
      upstream: null,
      usage: null,
      cost: 0,
      bytes_done: 0,
      bytes_copied: 0,
      bytes_total: 0
    });
    if (runs || key !== shown) fill(words, summary(run));
    if (key === shown) return;
    shown = key;
    fill(tags, run.tags && outcomes(run));
  }
}

/** How much is done of something, and what shows it. */
function bar(label, words) {
  const bar = h("progress", { label }),
    text = h("span");
  return [
    [h("span", label), bar, text],
    (done, all) => {
      if (all > 0) {
        bar.max = all;
        bar.value = Math.min(done, all);
      } else bar.removeAttribute("value");
      fill(text, all > 0 ? `${words(done)} of ${words(all)}` : "…");
    }
  ];
}

/** How long a run took. */
export const took = (run) => span((date(run.ended_at) - date(run.started_at)) / 1000);

/** How many tags came to what. */
export const came = (run) =>
  ["copied", "unchanged", "repaired", "pruned", "skipped", "held", "failed"].map((it) => [
    run[`tags_${it}`],
    WORDS[it][0].toLowerCase()
  ]);

function summary(run) {
  return [
    facts(
      ["State", state(`run ${run.status}`)],
      ["Began", time(run.started_at)],
      run.ended_at && ["Took", took(run)],
      [
        "Trigger",
        `${TRIGGERS[run.trigger] ?? run.trigger}${run.verifies && run.trigger !== "verify" ? ", verified" : ""}`
      ],
      ["Copied", bytes(run.bytes_copied)],
      run.cost && ["Cost of AWS", dollars(run.cost)],
      run.rollback && ["Turned back to", [time(run.rollback.at), run.rollback.tags?.join(", ")]],
      run.pinned && [
        "Pinned",
        [
          time(run.pinned.since),
          run.pinned.reason && h("small", run.pinned.reason),
          run.pinned.unverified > 0 && h("small", `${count(run.pinned.unverified, "image")} not verified`)
        ]
      ],
      run.upstream.waited_ms > 1000 && ["Waited for the registry", span(run.upstream.waited_ms / 1000)]
    ),
    tally(came(run), ["failed"]),
    run.waiting_until && p("The registry allows no more for now. It goes on: ", time(run.waiting_until)),
    run.failure && problem({ message: worded(run.failure.message) }, "Why:"),
    // What is advised is about the registry, which was not asked then.
    run.failure && !run.rollback && advises(run.failure.advice),
    run.warning &&
      warned(run.warning)
  ];
}

function outcomes(run) {
  const sorted = [...run.tags].sort(
    (a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome) || (a.tag < b.tag ? -1 : 1)
  );
  const causes = { deselected: "The rule does not select it.", vanished: "The registry no longer lists it." };
  return [
    h(
      "details",
      { open: run.status !== "SUCCESS" || run.tags_held > 0 },
      h("summary", "Tags"),
      tall(
        "Tags of the run",
        [
          ["Tag", (it) => it.tag],
          ["Outcome", (it) => state(it.failure?.reason in WORDS ? it.failure.reason : it.outcome)],
          ["Digest", (it) => digestOf(it.tag, it.digest)],
          [
            "Why, and what to do",
            (it) => [
              it.failure
                ? [p(worded(it.failure.message)), it.failure.advice && advises(it.failure.advice)]
                : causes[it.cause],
              judged(it, it.failure?.message)
            ]
          ]
        ],
        sorted.slice(0, ROWS),
        run.status === "SYNCING" ? "No tag is done yet." : "It came to no tag."
      )
    ),
    sorted.length > ROWS && hint(`The first ${ROWS} of ${count(sorted.length, "tag")}, the worst first.`)
  ];
}
