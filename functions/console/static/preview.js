// What a sync would do, beside the form, while one types.

import { compared, gateSays, judged } from "./judged.js";
import {
  advises, call, count, digits, fill, h, hint, life, p, path, problem, sleep, state, tall, tally, worded, WORDS
} from "./kit.js";

const PAUSE = 500;
/** The same where a password was typed: half of one is better not tried. */
const TYPED = 2_500;
/** Seconds until a registry that allows no more is asked again, if it does not say. */
const RETRY = 5;
const ROWS = 300;
const ORDER = ["fail", "refuse", "delete", "hold", "wait", "copy", "keep", "unknown", "ignore"];

/** A preview of a mirror: `ask` is given the settings of the form, and asks half a second after the last change. */
export function preview(name) {
  const summary = h("div", { role: "status", "aria-live": "polite" }),
    list = h();
  const element = h(
    "section.box.aside",
    { label: "Preview" },
    h("h2", "What a sync would do"),
    summary,
    list
  );
  const ends = life();
  let running, asked;
  return { element, ask };

  function ask(settings) {
    const wanted = JSON.stringify(settings);
    if (wanted === asked) return;
    asked = wanted;
    running?.abort();
    element.removeAttribute("aria-busy");
    if (!settings.root_rule?.rule_value.length || settings.external_reference === "")
      return void fill(summary, hint("Name a repository, and at least one tag or pattern."));
    running = new AbortController();
    load(settings, AbortSignal.any([ends, running.signal]));
  }

  /** Asks, until there is an answer or nobody waits for it any more. */
  async function load(settings, signal) {
    for (let pause = settings.external_registry_password ? TYPED : PAUSE; pause; ) {
      await sleep(pause, signal);
      if (signal.aborted) return;
      pause = 0;
      element.setAttribute("aria-busy", "true");
      fill(summary, hint("Asking the registry…"));
      try {
        draw(await call("POST", path`repository/${name}/mirror/preview`, { body: settings, signal }));
      } catch (error) {
        if (signal.aborted) return;
        fill(summary, problem(error, "No preview."));
        fill(list);
        if (error.status === 429) pause = (error.retryAfter ?? RETRY) * 1000;
      }
      element.removeAttribute("aria-busy");
    }
  }

  function draw({ counts, tags, truncated, failure, cost }) {
    if (failure) {
      fill(summary, problem(failure, "A sync would fail."), advises(failure.advice));
      return void fill(list);
    }
    fill(
      summary,
      p(h("b", `${digits(counts.selected)} of ${count(counts.listed, "tag")}`), " selected"),
      tally(
        ORDER.map((key) => [counts[key === "wait" ? "gated" : key], WORDS[key][0].toLowerCase()]),
        ["to delete", "would fail", "would be refused"]
      ),
      cost?.pulls > 0 && hint(`It takes ${count(cost.pulls, "pull")} of the registry.`)
    );
    const sorted = [...tags].sort((a, b) => ORDER.indexOf(a.action) - ORDER.indexOf(b.action));
    fill(
      list,
      tall(
        "Tags of the preview",
        [
          ["Tag", (tag) => tag.name],
          ["Action", (tag) => state(tag.action)],
          [
            "Why",
            (tag) => [
              tag.gate?.message === tag.reason ? gateSays(tag.gate) : worded(tag.failure?.message ?? tag.reason),
              tag.matched_by && h("small", `matched by ${tag.matched_by}`),
              compared(tag),
              judged(tag, tag.reason)
            ]
          ]
        ],
        sorted.slice(0, ROWS),
        "The registry lists no tags."
      ),
      (truncated || sorted.length > ROWS) && hint("Not all tags are shown.")
    );
  }
}
