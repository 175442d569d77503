// Where a mirror stands, and what can be done about it: Sync Now, Cancel, Verify.

import { call } from "./api.js";
import { fill, h, p, say } from "./element.js";
import { actions, button, doing, facts, state, time } from "./parts.js";
import { WARNINGS, isBusy, span } from "./text.js";

const RETRIES = 3;

/** The state block of the mirror at `where`. `changed` is called after each act; `approve` when held deletions are to be made. */
export function standing(where, { changed, approve }) {
  const place = h("div"),
    shown = h("div"),
    warning = h("div");
  const act = (what, words) => (event) =>
    doing(event.currentTarget, place, async () => {
      await call("POST", `${where}/${what}`);
      say(words);
      await changed();
    }).then(usable);
  const sync = button("Sync Now", act("sync-now", "The sync was asked for"), "main");
  const cancel = button("Cancel", act("sync-cancel", "The sync was cancelled"), { disabled: true });
  const verify = button("Verify", act("verify", "The verification began"), {
    title: "A sync that trusts nothing, and fetches again what is missing or damaged"
  });
  let key,
    busy = false;
  const element = h(
    "section",
    { class: "box", label: "State" },
    h("div", { class: "heading" }, h("h2", {}, "State"), actions(sync, cancel, approve && verify)),
    place,
    warning,
    shown
  );
  return { element, update };

  function usable() {
    cancel.disabled = !busy;
    sync.disabled = verify.disabled = busy;
  }

  function update(mirror) {
    busy = isBusy(mirror);
    usable();
    const now = JSON.stringify(mirror);
    if (now === key) return;
    key = now;
    const held = mirror.sync_warning;
    fill(
      shown,
      facts(
        ["State", state(mirror.sync_waiting_until ? "WAITING" : mirror.sync_status)],
        ["Scheduled", mirror.is_enabled ? `every ${span(mirror.sync_interval)}` : "disabled"],
        ["Next start", time(mirror.sync_start_date)],
        ["Retries Remaining", `${mirror.sync_retries_remaining} / ${RETRIES}`],
        ["Timeout", mirror.sync_expiration_date ? time(mirror.sync_expiration_date) : "–"],
        ["From", mirror.external_reference],
        mirror.sync_waiting_until && [
          "Waits until",
          [
            time(mirror.sync_waiting_until),
            button(
              "Do not wait",
              (event) =>
                doing(event.currentTarget, place, async () => {
                  await call("DELETE", `${where}/rate-limit`);
                  await changed();
                }),
              "small"
            )
          ]
        ]
      )
    );
    fill(
      warning,
      held &&
        h(
          "div",
          { class: "notice" },
          p(h("strong", {}, WARNINGS[held.reason] ?? held.reason, ": "), held.message),
          held.reason === "deletions_held" && button("Look at them, and delete them…", () => approve(held), "danger")
        )
    );
  }
}
