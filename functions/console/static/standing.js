// Where a mirror stands, and what can be done about it: Sync Now, Cancel, Verify.

import { call } from "./api.js";
import { fill, h, say } from "./element.js";
import { actions, button, doing, facts, state, time, warned } from "./parts.js";
import { RETRIES, isBusy, span } from "./text.js";

/**
 * The state of the mirror at `where`. `changed` is called after each act; `held` makes what leads to what a warning is
 * about.
 */
export function standing(where, { changed, held }) {
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
    busy = false,
    lost = false;
  const element = h(
    "section.box",
    { label: "State" },
    h("div.heading", h("h2", "State"), actions(sync, cancel, held && verify)),
    place,
    warning,
    shown
  );
  return { element, update };

  function usable() {
    cancel.disabled = !busy;
    sync.disabled = verify.disabled = busy && !lost;
  }

  function update(mirror) {
    busy = isBusy(mirror);
    // One that was killed goes on at once if somebody wants it.
    lost = mirror.sync_warning?.reason === "interrupted";
    usable();
    const now = JSON.stringify(mirror);
    if (now === key) return;
    key = now;
    const told = mirror.sync_warning;
    fill(
      shown,
      facts(
        ["State", state(mirror.sync_waiting_until ? "WAITING" : mirror.sync_status)],
        ["Scheduled", mirror.is_enabled ? `every ${span(mirror.sync_interval)}` : "disabled"],
        ["Next start", time(mirror.sync_start_date)],
        ["Retries Remaining", `${mirror.sync_retries_remaining} / ${RETRIES}`],
        mirror.sync_status === "SYNCING" && ["Must report by", time(mirror.sync_expiration_date)],
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
      told &&
        warned(told, held?.(told))
    );
  }
}
