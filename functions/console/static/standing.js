// Where a mirror stands, and what can be done about it: Sync Now, Cancel, Verify, Resume.

import {
  acting, actions, button, call, doing, facts, fill, h, isBusy, notice, p, quiet, RETRIES, say, span, state, time,
  warned
} from "./kit.js";

/**
 * The state of the mirror at `where`. `changed` is called after each act; `held` makes what leads to what a warning is
 * about.
 */
export function standing(where, { changed, held }) {
  const place = h(),
    shown = h(),
    warning = h();
  const act = (what, words) => (event) =>
    doing(event.currentTarget, place, async () => {
      await call("POST", `${where}/${what}`);
      say(words);
      await changed();
    }).then(usable);
  const sync = button("Sync Now", act("sync-now", "The sync was asked for"), "main");
  const cancel = button("Cancel", act("sync-cancel", "The sync was cancelled"), { disabled: true });
  const verify = button("Verify", act("verify", "The verification began"), {
    title: "A sync that fetches again what is missing or damaged"
  });
  /** What ends something that keeps the mirror from being synced. */
  const end = (text, method, what) =>
    acting(
      text,
      place,
      async () => {
        await call(method, `${where}/${what}`);
        await changed();
      },
      "small"
    );
  let key,
    busy = false,
    still = false;
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
    sync.disabled = verify.disabled = still;
  }

  function update(mirror) {
    busy = isBusy(mirror);
    const { paused, sync_status: status, sync_waiting_until: waiting, sync_warning: told } = mirror;
    // One that was killed goes on at once if somebody wants it.
    still = Boolean(paused) || (busy && told?.reason !== "interrupted");
    usable();
    const now = JSON.stringify(mirror);
    if (now === key) return;
    key = now;
    fill(
      shown,
      facts(
        ["State", state(waiting ? "WAITING" : paused && status === "SUCCESS" ? "PAUSED" : status)],
        ["Scheduled", mirror.is_enabled ? `every ${span(mirror.sync_interval)}` : "disabled"],
        ["Next start", paused ? quiet("none while it is paused") : time(mirror.sync_start_date)],
        ["Retries Remaining", `${mirror.sync_retries_remaining} / ${RETRIES}`],
        status === "SYNCING" && ["Must report by", time(mirror.sync_expiration_date)],
        ["From", mirror.external_reference],
        waiting && ["Waits until", [time(waiting), end("Do not wait", "DELETE", "rate-limit")]]
      )
    );
    fill(
      warning,
      paused &&
        notice(
          p(
            h("strong", "Paused: "),
            "its tags were turned back, and no sync begins ",
            paused.until ? ["before: ", time(paused.until)] : "until somebody resumes it."
          ),
          end("Resume", "POST", "resume")
        ),
      told && warned(told, held?.(told))
    );
  }
}
