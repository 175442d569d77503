// What the front page makes of the mirrors: which state each is in for people, and which comes first. Pure.

import { RETRIES, WARNINGS, WORDS, count, digits, isBusy } from "./text.js";

/** States, the worst first; each has a word of its own in text.js. */
export const ORDER = [
  "FAIL",
  "LATE",
  "WARNING",
  "WAITING",
  "CANCEL",
  "NEVER_RUN",
  "SYNCING",
  "SYNC_NOW",
  "SUCCESS",
  "OFF"
];

/** Those that somebody has to look at. */
export const TROUBLE = new Set(["FAIL", "LATE", "WARNING"]);

/** The one state of a mirror that matters most. */
export function stateOf(mirror) {
  const busy = isBusy(mirror);
  if (!mirror.is_enabled && !busy) return "OFF";
  // What is being tried again has failed all the same.
  if (mirror.sync_status === "FAIL" || (busy && mirror.last_failure)) return "FAIL";
  if (mirror.is_late) return "LATE";
  if (mirror.sync_warning) return "WARNING";
  if (mirror.sync_waiting_until) return "WAITING";
  return mirror.sync_status;
}

/** The name of the repository; of a whole organization's mirror, that of the organization. */
export const nameOf = (mirror) =>
  mirror.repository ? `${mirror.namespace}/${mirror.repository}` : mirror.namespace;

/** Why it is in trouble, and what to do about it, as far as either is known. */
export function trouble(mirror) {
  const state = stateOf(mirror),
    warning = mirror.sync_warning?.message;
  if (state === "FAIL") return [mirror.last_failure, mirror.last_failure_advice];
  if (state === "LATE" && !warning)
    return ["No sync has come to a good end for too long.", "look at the last runs; Sync Now starts another one"];
  return [TROUBLE.has(state) && warning];
}

/** Seconds since the last good run; null if there was none. */
export const lagOf = (mirror, now) =>
  mirror.last_success ? Math.max(0, (now - Date.parse(mirror.last_success)) / 1000) : null;

/** Worst first: by state, then by how many intervals behind, then by name. */
export function sorted(mirrors, now) {
  const behind = (mirror) => (lagOf(mirror, now) ?? Number.MAX_SAFE_INTEGER) / Math.max(1, mirror.sync_interval);
  const keyed = mirrors.map((mirror) => [
    ORDER.indexOf(stateOf(mirror)),
    Math.floor(behind(mirror)),
    nameOf(mirror),
    mirror
  ]);
  keyed.sort((a, b) => a[0] - b[0] || b[1] - a[1] || (a[2] < b[2] ? -1 : 1));
  return keyed.map((it) => it[3]);
}

/** How many are in each state. */
export function counts(mirrors) {
  const all = Object.fromEntries(ORDER.map((state) => [state, 0]));
  for (const mirror of mirrors) all[stateOf(mirror)] += 1;
  return all;
}

/** Those that are asked for. */
export function chosen(mirrors, { text = "", state = "", namespace = "" }) {
  const wanted = text.trim().toLowerCase();
  return mirrors.filter(
    (mirror) =>
      (!state || stateOf(mirror) === state) &&
      (!namespace || mirror.namespace === namespace) &&
      (!wanted ||
        `${nameOf(mirror)} ${mirror.external_reference ?? ""}`.toLowerCase().includes(wanted))
  );
}

/** The page in one sentence: what is wrong, if anything is; else all that is not simply fine. */
export function sentence(mirrors) {
  if (!mirrors.length) return "There are no mirrors yet";
  const number = counts(mirrors),
    others = ORDER.filter((it) => number[it] && it !== "SUCCESS"),
    wrong = others.filter((it) => TROUBLE.has(it)),
    all = count(mirrors.length, "mirror"),
    list = (states) => states.map((it) => `${digits(number[it])} ${WORDS[it][0].toLowerCase()}`).join(", ");
  if (wrong.length) return `${list(wrong)} of ${all}`;
  if (!others.length) return mirrors.length === 1 ? "The mirror is fine" : `All ${all} are fine`;
  if (!number.SUCCESS) return `${list(others)} of ${all}`;
  return `${digits(number.SUCCESS)} of ${all} ${number.SUCCESS === 1 ? "is" : "are"} fine, ${list(others)}`;
}

/** What stands beside the state. */
export function remark(mirror) {
  const notes = [];
  if (mirror.sync_status === "FAIL")
    // All of them are there again once they were in vain: for the next start.
    notes.push(
      mirror.sync_retries_remaining < RETRIES
        ? `${count(mirror.sync_retries_remaining, "retry", "retries")} left`
        : "not tried again before the next start"
    );
  else if (mirror.last_failure && isBusy(mirror)) notes.push("tried again now");
  if (mirror.is_late && stateOf(mirror) === "FAIL") notes.push("late");
  if (mirror.sync_warning) notes.push(WARNINGS[mirror.sync_warning.reason] ?? mirror.sync_warning.reason);
  return notes.join(", ");
}
