// What notifications are about, where they go, and what is sent of a new one: pure.

const PREFIX = "repo_mirror_";

/** Events in words. */
export const EVENTS = Object.fromEntries(
  Object.entries({
    sync_started: "A sync begins",
    sync_success: "A sync succeeds",
    sync_failed: "A sync fails",
    changed: "Tags come, move or go",
    recovered: "A sync succeeds after one that failed",
    late: "No sync succeeds for some intervals",
    deletions_held: "Deletions are held back",
    held: "Tags wait at the gate",
    signature_refused: "Tags are not signed as asked",
    waiting: "A sync waits for its registry"
  }).map(([name, text]) => [PREFIX + name, text])
);
export const eventText = (event) => EVENTS[event] ?? event;

/** Methods in words, and the fields of each. */
export const METHODS = {
  webhook: ["Webhook", "url", "template", "secret"],
  slack: ["Slack", "url"],
  sns: ["SNS topic", "topic_arn"],
  eventbridge: ["EventBridge bus", "bus"],
  quay_notification: ["Note in the console", "people", "target"]
};

/** Why a run may have failed. */
export const REASONS =
  "auth_failed network_timeout connection_error not_found tls_error decryption_failed preempted invalid_source_registry unknown_error rate_limited digest_mismatch content_refused registry_error storage_error quota_exceeded signature_refused".split(
    " "
  );

/** Where one goes: of a URL the host alone, because whoever knows a channel's may write there. */
export function goesTo({ config: { url, topic_arn: topic, bus, target } }) {
  if (target) return `${target.kind} ${target.name}`;
  return (URL.canParse(url) && new URL(url).host) || topic || bus || "–";
}

/** Whether a field is asked for with this event and method. */
export function isAsked(name, { event, method }) {
  if (name === "intervals") return event === `${PREFIX}late`;
  const isOf = ([, ...names]) => names.includes(name);
  return isOf(METHODS[method]) || !Object.values(METHODS).some(isOf);
}

/** What the API takes for what was filled in; what is empty is not asked. */
export function toNotification(filled) {
  const { event, method, title, people: kind, target: name } = filled,
    taken = (names) =>
      Object.fromEntries(
        names
          .map((it) => [it, filled[it]])
          .filter(([it, value]) => ![undefined, null, false, ""].includes(value) && value.length !== 0 && isAsked(it, filled))
      ),
    [, ...names] = METHODS[method];
  return {
    event,
    method,
    title: title || null,
    config: kind && isAsked("people", filled) ? { target: { kind, name } } : taken(names),
    eventConfig: taken(["only", "reasons", "tags", "min_interval", "every_attempt", "intervals"])
  };
}

/** The field that an error names. */
export const blamed = (message) => /^(?:config|eventConfig)\.(\w+)/.exec(message)?.[1];
