// Turning a mirror's tags back to what they were when a run ended: first what would change, then a name that is typed.

import { changesTable } from "./changes.js";
import { ask, both, call, count, date, h, hint, p, path, prompt, show } from "./kit.js";

const FIELDS = [
  {
    name: "globs",
    label: "Tags",
    kind: "csv",
    placeholder: "latest, v1.*",
    also: /^tags/,
    help: "Names or patterns, separated by commas. Empty: all."
  },
  {
    name: "resume_at",
    label: "Paused until",
    kind: "datetime",
    help: "No sync begins before. Empty: before somebody resumes it."
  }
];

/** Turns the mirror `name` back to what a run left, for whoever has seen what that does. Whether it was begun. */
export async function turnBack(name, run) {
  const roll = (body) => call("POST", path`repository/${name}/mirror/rollback`, { body });
  let values, body;
  for (;;) {
    const plan = await prompt("Turn the tags back", FIELDS, {
      values,
      verb: "Show what would change",
      content: p(`To what they were when a run ended, ${both(date(run.ended_at))}. Nothing is done yet.`),
      task: (filled) => {
        values = filled;
        body = { run_id: run.run_id, resume_at: filled.resume_at ?? undefined };
        if (filled.globs.length) body.tags = filled.globs;
        return roll({ ...body, dry_run: true });
      }
    });
    if (!plan) return false;
    const { total, missing } = plan,
      { length: gone } = missing;
    const content = [
      gone > 0 && [
        p(`The content of ${count(gone, "tag")} is not here any more. Nothing can be turned back with them:`),
        h(
          "ul.lost",
          { tabindex: "0", label: "What is gone" },
          missing.map((tag) => h("li", tag))
        )
      ],
      plan.unverified > 0 &&
        hint(`There was no time to look for ${count(plan.unverified, "image")}.`),
      changesTable("What would change", plan.changes, "The tags are what they were then.", total, "to ")
    ];
    if (total && !gone)
      return ask({
        title: `Turn ${count(total, "tag")} back?`,
        verb: "Turn back",
        text: `The mirror is paused then until ${body.resume_at ? both(date(body.resume_at)) : "somebody resumes it"}.`,
        typed: name,
        content,
        task: () => roll(body)
      });
    await show(gone ? "They cannot be turned back" : "Nothing would change", content);
  }
}
