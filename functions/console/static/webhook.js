// The webhook of a mirror: an address that whoever pushes to the registry calls, so that nobody waits for the schedule.

import {
  actions, ask, button, call, copy, facts, fill, get, h, hint, inOrder, orNull, p, prompt, show, shows, time
} from "./kit.js";

/** What the last delivery came to. */
const OUTCOMES = {
  accepted: "the registry was asked",
  ignored: "it was about nothing that is mirrored",
  unsigned: "refused: not signed as it has to be",
  invalid: "refused: not understood"
};
const BOTH = "The address before is valid, too, until you end it or make another one.";
const SIGNED = [
  {
    name: "require_signature",
    label: "Refuse what is not signed",
    kind: "checkbox",
    help: "In X-Hub-Signature-256, as GitHub does."
  }
];

/** The webhook of the mirror at `mirror`. */
export function webhook(mirror) {
  const where = `${mirror}/webhook`,
    place = h(),
    shown = h(),
    element = h(
      "section.box",
      { label: "Webhook" },
      h("h2", "Webhook"),
      hint(
        "Docker Hub, Quay, Harbor, GitHub, GitLab, Azure, ECR, another Moorage, or whoever sends ",
        h("code", '{"tags": ["v1"]}'),
        " says here that tags were pushed, and a sync asks the registry for them at once. It is a hint: ",
        "nothing else in it is believed, nothing is deleted, and the schedule stays."
      ),
      place,
      shown
    );
  const answers = inOrder();
  let known;
  return { element, update };

  /** Reads it again; where there was none, only after something was done. */
  async function update(isDone) {
    if (known === "null" && !isDone) return;
    const found = await answers.read(() => get(where).catch(orNull)),
      key = JSON.stringify(found);
    if (key === known) return;
    known = key;
    fill(shown, found && told(found), acts(found));
  }

  function told({ created, require_signature, last_delivery: last, last_sync, previous_is_valid }) {
    return [
      facts(
        ["Made", time(created)],
        ["Signatures", require_signature ? "asked for" : "checked if there are any"],
        ["Last call", [time(last?.at), last && p(OUTCOMES[last.outcome])]],
        ["Last sync by it", time(last_sync)]
      ),
      previous_is_valid && p(BOTH)
    ];
  }

  function acts(found) {
    const act = (text, task, danger) =>
      button(text, async () => (await task()) && update(true).catch(shows(place)), danger && "danger");
    const end = (what, remove) => () =>
      ask({ title: `End ${what}?`, verb: "End", text: "Whoever still calls it is refused. The schedule stays.", remove });
    return actions(
      act(found ? "Make another address…" : "Make a webhook…", () => make(found)),
      found?.previous_is_valid &&
        act("End the address before…", end("the address before", `${where}?previous=true`), true),
      found && act("End the webhook…", end("the webhook", where), true)
    );
  }

  async function make(found) {
    const made = await prompt(found ? "Make another address" : "Make a webhook", SIGNED, {
      verb: "Make it",
      values: found ?? {},
      content:
        found &&
        p(
          "The present one stays valid, so that senders can be moved.",
          found.previous_is_valid && " The one before ends now."
        ),
      task: (body) => call("POST", where, { body })
    });
    if (made)
      await show(
        "The webhook",
        p("Both are shown this once. Whoever knows the address may call it."),
        h("h3", "Address"),
        copy(made.url, "the address"),
        h("h3", "Secret"),
        copy(made.secret, "the secret"),
        made.previous_is_valid && hint(BOTH)
      );
    return made;
  }
}
