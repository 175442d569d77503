// Numbers, times and states in words. Nothing here touches the page.

const MINUTE = 60,
  HOUR = 3600,
  DAY = 86400,
  WEEK = 604800;

/** Units of an interval, the largest first. */
export const UNITS = [
  ["weeks", WEEK],
  ["days", DAY],
  ["hours", HOUR],
  ["minutes", MINUTE],
  ["seconds", 1]
];

/** Units of a size, the largest first. */
export const SIZES = [
  ["GB", 1e9],
  ["MB", 1e6],
  ["bytes", 1]
];

/** Seconds, or another amount, in the largest unit that divides them. */
export function inUnit(amount, units = UNITS) {
  const [unit, length] = units.find(([, length]) => amount >= length && amount % length === 0) ?? units.at(-1);
  return { number: amount / length, unit };
}

/** A length of time: "6 h", "2 d 4 h". */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) return two(whole, HOUR, "h", MINUTE, "min");
  return two(whole, DAY, "d", HOUR, "h");
}

function two(seconds, large, one, small, other) {
  const first = Math.floor(seconds / large),
    second = Math.floor((seconds % large) / small);
  return second && first < 3 ? `${first} ${one} ${second} ${other}` : `${first} ${one}`;
}

/** "3 h ago", "in 20 min". */
export function ago(date, now = Date.now()) {
  const seconds = (now - date.getTime()) / 1000;
  if (Math.abs(seconds) < 5) return "now";
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

/** A time as the API writes it, in any of its forms: ISO, mail's, seconds since 1970. */
export function date(value) {
  if (value === null || value === undefined || value === "") return null;
  const parsed =
    typeof value === "number" ? new Date(value * 1000) : new Date(String(value).replace(/-0000$/, "+0000"));
  return Number.isNaN(parsed.getTime()) ? null : parsed;
}

const DATE = { day: "numeric", month: "short" },
  UTC = { timeZone: "UTC" };
const format = (more) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", ...more });
const local = format(DATE);
const localYear = format({ ...DATE, year: "numeric" });
const utc = format({ ...DATE, ...UTC });
const utcHour = format(UTC);

/** A time in the reader's zone with the one in UTC beside it: once, where both are the same. */
export function both(at) {
  const here = (at.getFullYear() === new Date().getFullYear() ? local : localYear).format(at);
  if (at.getTimezoneOffset() === 0) return `${here} UTC`;
  const there = at.getDate() === at.getUTCDate() ? utcHour : utc;
  return `${here} (${there.format(at)} UTC)`;
}

/** What an input of a local time holds. */
export function toInput(at) {
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60000);
  return shifted.toISOString().slice(0, 16);
}

/** A time as the API takes it. */
export const iso = (at) => `${at.toISOString().slice(0, 19)}Z`;

/** A day as usage logs are asked for it. */
export const usDate = (day) => `${day.slice(5, 7)}/${day.slice(8, 10)}/${day.slice(0, 4)}`;

/** Bytes: "36 MB". */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = count,
    unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(value >= 10 ? 1 : 2).replace(/\.?0+$/, "")} ${units[unit]}`;
}

/** A number as people read it. */
export const digits = (number) => number.toLocaleString("en");

const usd = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumSignificantDigits: 3 });
/** Dollars, of which there may be very few: "$0.0000331". */
export const dollars = (amount) => usd.format(amount);

/** "1 tag", "5 tags". */
export const count = (number, one, many = `${one}s`) => `${digits(number)} ${number === 1 ? one : many}`;

/** The part of a digest that people compare. */
export const short = (digest) => (digest ? digest.replace(/^sha256:/, "").slice(0, 12) : "");

/** Words and colours of what a run, a mirror or a tag came to. */
export const WORDS = {
  SUCCESS: ["In sync", "good"],
  FAIL: ["Failing", "bad"],
  CANCEL: ["Cancelled", "warn"],
  SYNCING: ["Syncing", "busy"],
  SYNC_NOW: ["Queued", "busy"],
  NEVER_RUN: ["Never ran", "quiet"],
  SKIP: ["Skipped", "quiet"],
  LATE: ["Late", "bad"],
  WARNING: ["Warning", "warn"],
  WAITING: ["Waiting for the registry", "warn"],
  PAUSED: ["Paused", "warn"],
  OFF: ["Disabled", "quiet"],
  "run SUCCESS": ["Good", "good"],
  "run FAIL": ["Failed", "bad"],
  "run CANCEL": ["Cancelled", "warn"],
  "run SYNCING": ["Running", "busy"],
  copied: ["Copied", "good"],
  unchanged: ["Unchanged", "quiet"],
  repaired: ["Repaired", "good"],
  skipped: ["Skipped", "quiet"],
  refused: ["Refused", "bad"],
  failed: ["Failed", "bad"],
  pruned: ["Deleted", "warn"],
  created: ["Came", "good"],
  moved: ["Moved", "good"],
  deleted: ["Deleted", "warn"],
  "to created": ["Comes back", "good"],
  "to moved": ["Moves", "warn"],
  "to deleted": ["Goes", "bad"],
  no_longer_held: ["Waits no more", "quiet"],
  held: ["Held back", "warn"],
  copy: ["To copy", "good"],
  keep: ["Unchanged", "quiet"],
  delete: ["To delete", "bad"],
  hold: ["Held back", "warn"],
  wait: ["Waits at the gate", "warn"],
  refuse: ["Would be refused", "bad"],
  signature_refused: ["Not signed as asked", "bad"],
  ignore: ["Left out", "quiet"],
  fail: ["Would fail", "bad"],
  unknown: ["Not known", "quiet"],
  fine: ["Fine", "good"],
  look: ["Look at it", "bad"]
};

/** How often a failed sync is tried again before the next start. */
export const RETRIES = 3;

/** Whether a sync runs, or is about to. */
export const isBusy = (mirror) => mirror.sync_status === "SYNCING" || mirror.sync_status === "SYNC_NOW";

/** What a repository is for. */
export const STATES = {
  NORMAL: "Ordinary",
  READ_ONLY: "Read only",
  MIRROR: "Mirror",
  ORG_MIRROR: "Mirror of the organization's"
};

export const TRIGGERS = {
  schedule: "Schedule",
  sync_now: "Sync Now",
  verify: "Verify",
  retry: "Retry",
  continuation: "Continued",
  rollback: "Rollback",
  webhook: "Webhook",
  organization: "Organization",
  hold: "What waited may be let in"
};

/** What a warning is about, in a few words. */
export const WARNINGS = {
  deletions_held: "Deletions held back",
  list_empty: "Empty list of tags",
  list_incomplete: "Incomplete list of tags",
  tags_held: "Tags wait at the gate",
  attachments_incomplete: "Signatures are incomplete",
  credentials_dropped: "Password was dropped",
  credentials_withheld: "Robot's credentials withheld",
  interrupted: "Nobody works on it"
};
