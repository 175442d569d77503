// What notifications are about, where they go, and what is asked and sent of a new one: pure.

/** Events in words. What all of their names begin with is left out. */
const EVENTS = {
  sync_started: "A sync begins",
  sync_success: "A sync succeeds",
  sync_failed: "A sync fails",
  changed: "Tags come, move or go",
  recovered: "A sync succeeds again",
  late: "No sync succeeds for some intervals",
  deletions_held: "Deletions are held back",
  held: "Tags wait at the gate",
  signature_refused: "Tags are not signed as asked",
  waiting: "A sync waits for its registry"
};
const PREFIX = "repo_mirror_";
export const eventText = (event) => EVENTS[event.slice(PREFIX.length)];

/** Methods in words, and the fields of each. */
const METHODS = {
  webhook: ["Webhook", "url", "template", "secret"],
  slack: ["Slack", "url"],
  sns: ["SNS", "topic_arn"],
  eventbridge: ["EventBridge", "bus"],
  quay_notification: ["Note", "kind", "target"]
};

const field = (name, label, kind, more) => ({ name, label, kind, ...more });
export const FIELDS = [
  field("title", "Title"),
  field("event", "Event", "select", { options: Object.entries(EVENTS).map(([it, text]) => [PREFIX + it, text]) }),
  field("method", "Method", "select", { options: Object.entries(METHODS).map(([it, [text]]) => [it, text]) }),
  field("url", "URL", "text", { also: /URL/ }),
  field("template", "Template", "area", { also: /expression/, help: "JSON with ${…} paths. Empty: the whole body." }),
  field("secret", "Secret", "secret", { help: "It signs the messages." }),
  field("topic_arn", "ARN of the topic"),
  field("bus", "Name or ARN of the bus"),
  field("kind", "For", "select", { options: ["org", "team", "user"] }),
  field("target", "Name", "text", { also: /must match/ }),
  { group: "Only some of them", more: true },
  field("only", "Only runs with a", "several", { options: ["failure", "change", "recovery"] }),
  field("tags", "Tags", "csv", { placeholder: "latest, v1.*" }),
  field("reasons", "Reasons of failures", "csv", { placeholder: "auth_failed, not_found" }),
  field("min_interval", "At most one in", "duration", { units: ["minutes", "hours", "days"] }),
  field("intervals", "Late after intervals", "number", { min: 1, placeholder: "2" }),
  field("every_attempt", "Every attempt, not only the last", "checkbox")
];
/** Where those are that are of `eventConfig`. */
const FILTERS = FIELDS.findIndex((it) => it.group);

/** How, and where one goes: of a URL the host alone, because whoever knows a channel's may write there. */
export function goesTo({ method, config: { url, topic_arn: topic, bus, target } }) {
  return `${METHODS[method][0]}: ${target ? `${target.kind} ${target.name}` : (topic ?? bus ?? URL.parse(url)?.host)}`;
}

/** Whether a method has a field, or no method has it. */
export const isAsked = (name, method) =>
  METHODS[method].includes(name) || !Object.values(METHODS).some((it) => it.includes(name));

/** What the API takes for what was filled in; what is empty is not asked. */
export function toNotification({ event, method, title, ...filled }) {
  const { kind, target: name } = filled,
    taken = (names) =>
      Object.fromEntries(names.map((it) => [it, filled[it]]).filter(([, value]) => value && value.length !== 0));
  return {
    event,
    method,
    title,
    config: isAsked("target", method) ? { target: { kind, name } } : taken(METHODS[method].slice(1)),
    eventConfig: taken(FIELDS.slice(FILTERS + 1).map((it) => it.name))
  };
}
