// The gate of a mirror: its fields, part by part, and what forms have of them. Pure.

const MODE = {
  path: "mode",
  label: "Mode",
  kind: "select",
  options: [
    ["", "Not asked"],
    ["observe", "Observe: only say what would wait"],
    ["enforce", "Enforce"],
    ["off", "Off, and kept"]
  ]
};
/** Whether it is asked, so that there is more to say. */
const asked = (it) => it.mode;
const signs = (by) => (it) => it.by === by;

/** Of a tag that moves. */
const RULE = [
  { path: "tags", label: "Tags", kind: "csv", placeholder: "v*" },
  {
    path: "action",
    label: "If one moves",
    kind: "select",
    options: [
      ["follow", "follow it"],
      ["hold", "hold it until it is released"],
      ["keep", "keep what is here"]
    ]
  }
];

/** Somebody who may sign. */
const AUTHORITY = [
  { path: "name", label: "Name", placeholder: "ci" },
  {
    id: "by",
    label: "Signs with",
    kind: "select",
    options: [
      ["pem", "a key"],
      ["kms", "a key in AWS KMS"],
      ["keyless", "an identity (keyless)"]
    ],
    of: (it) => (it.keyless ? "keyless" : it.key?.kms ? "kms" : "pem")
  },
  { path: "key.pem", label: "Public key (PEM)", kind: "area", when: signs("pem") },
  { path: "key.kms", label: "ARN of the key", placeholder: "arn:aws:kms:…", when: signs("kms") },
  { path: "keyless.identities.0.issuer", label: "Issuer", kind: "either", when: signs("keyless") },
  { path: "keyless.identities.0.subject", label: "Subject", kind: "either", when: signs("keyless") },
  { path: "keyless.trust_root", label: "Trusted root", placeholder: "public", when: signs("keyless") },
  {
    path: "transparency_log",
    label: "Transparency log",
    kind: "select",
    options: [
      ["", "has to have the signature"],
      ["optional", "need not have it"]
    ],
    when: (it) => it.by !== "keyless"
  }
];

/** The questions. A part has a `path` in its field, is shown `when` others say so, and may have rows of parts. */
export const QUESTIONS = [
  {
    name: "selection",
    label: "Selection",
    help: "Of the tags above, those that pass all of these.",
    parts: [
      {
        path: "include_regex",
        label: "Only tags that match",
        placeholder: "v\\d+\\..*",
        help: "A regular expression of the whole tag."
      },
      {
        path: "version.ranges",
        label: "Versions",
        kind: "lines",
        placeholder: ">=1.20 <2",
        help: "A range in each line, of which one has to fit."
      },
      { path: "version.prereleases", label: "Prereleases, too", kind: "checkbox" },
      { path: "exclude.globs", label: "Without", kind: "csv", placeholder: "*-debug" },
      { path: "newest", label: "The newest", kind: "number", min: 1, help: "So many of them. Empty: all." },
      {
        path: "sort",
        label: "Newest by",
        kind: "select",
        options: [
          ["", "version"],
          ["numeric", "number"],
          ["name", "name"],
          ["first_seen", "when it was first seen"]
        ]
      },
      {
        path: "always",
        label: "Always",
        kind: "csv",
        placeholder: "latest",
        help: "Whatever the settings above say."
      },
      { path: "platforms", label: "Platforms", kind: "csv", placeholder: "linux/amd64", help: "Images for any." },
      { path: "max_size", label: "Largest image", kind: "size" },
      {
        path: "mode",
        label: "What counts",
        kind: "select",
        options: [
          ["", "all of it"],
          ["observe", "nothing: only say what it would do"],
          ["off", "nothing: do not ask"]
        ]
      }
    ]
  },
  {
    name: "min_age",
    label: "Age",
    help: "New images wait.",
    parts: [
      MODE,
      {
        path: "seconds",
        label: "How long",
        kind: "duration",
        units: ["days", "hours", "minutes", "weeks", "seconds"],
        when: asked
      }
    ]
  },
  {
    name: "on_move",
    label: "Tags that move",
    help: "To another image at the registry.",
    parts: [
      MODE,
      { path: "rules", label: "Rules", kind: "rows", row: "Rule", add: "Add a rule", parts: RULE, when: asked }
    ]
  },
  {
    name: "signature_policy",
    label: "Signatures",
    help: "What is not signed so is not mirrored, and fails the sync.",
    parts: [
      MODE,
      {
        path: "require",
        label: "Signed by",
        kind: "select",
        options: [
          ["", "any authority"],
          ["all", "all authorities"]
        ],
        when: asked
      },
      {
        path: "authorities",
        label: "Authorities",
        kind: "rows",
        row: "Authority",
        add: "Add an authority",
        parts: AUTHORITY,
        when: asked
      },
      { path: "tags", label: "Only these tags", kind: "csv", placeholder: "v*", when: asked },
      { path: "no_rollback", label: "Never back to an older signature", kind: "checkbox", when: asked },
      { path: "judge_served", label: "Judge what is served, too", kind: "checkbox", when: asked }
    ]
  }
];

/** Names of the fields. */
export const GATE = QUESTIONS.map((it) => it.name);

const last = (path) => path.split(".").at(-1);
export const idOf = ({ id, path }) => id ?? last(path);

/** What the forms call the fields, and parts of them. */
export const GATE_LABELS = Object.fromEntries(
  QUESTIONS.flatMap((it) => [it, ...it.parts]).map((it) => [it.name ?? idOf(it), it.label])
);

/** What the form calls a step of the selection. */
export const stepLabel = (step) => ({ version: "Versions", exclude: "Without" })[step] ?? GATE_LABELS[step] ?? step;

/** What is meant where nothing is said. */
const DEFAULTS = {
  prereleases: false,
  no_rollback: false,
  judge_served: false,
  sort: "version",
  require: "any",
  transparency_log: "required",
  trust_root: "public"
};
const isSaid = (name, value) => value !== null && DEFAULTS[name] !== value;

/** A text that values which mean the same have in common. */
export const meaning = (value) =>
  JSON.stringify(value, (_, it) =>
    it?.constructor === Object
      ? Object.fromEntries(Object.entries(it).filter((pair) => isSaid(...pair)).sort(([a], [b]) => (a < b ? -1 : 1)))
      : it
  );

const at = (value, path) => path.split(".").reduce((it, key) => it?.[key], value);

function put(value, path, it) {
  const keys = path.split(".");
  keys.slice(0, -1).forEach((key, index) => (value = value[key] ??= keys[index + 1] === "0" ? [] : {}));
  value[keys.at(-1)] = it;
}

/** What the parts of a form show of a value. */
export const toParts = (parts, value) =>
  Object.fromEntries(
    parts.map((part) => {
      const { path, kind, of } = part;
      let it = of ? of(value) : at(value, path);
      if (path && !isSaid(last(path), it)) it = undefined;
      if (kind === "either") it = it === undefined ? ["_regex", at(value, `${path}_regex`)] : ["", it];
      if (kind === "rows" && it) it = [it].flat().map((row) => toParts(part.parts, row));
      if (["csv", "lines"].includes(kind) && it) it = [it].flat();
      return [idOf(part), it];
    })
  );

const isEmpty = (it) => it === undefined || it === null || it === "" || it === false || it.length === 0;

/** The value that the parts of a form say. */
export function fromParts(parts, filled) {
  const value = {};
  for (const part of parts) {
    const { path, kind, when } = part;
    let it = filled[idOf(part)],
      end = "";
    if (kind === "either") [end, it] = it ?? ["", ""];
    if (!path || isEmpty(it) || (when && !when(filled))) continue;
    put(value, path + end, kind === "rows" ? it.map((row) => fromParts(part.parts, row)) : it);
  }
  return value;
}

/** Whether the parts of a form have all of a value; what they do not is shown as JSON. */
export const isShown = (parts, value) => meaning(fromParts(parts, toParts(parts, value))) === meaning(value);

/** Where a message of the API's leads: the path that it begins with, and what it says of that. */
export function blamed(name, message) {
  const [, path, text] = /^([\w.[\]]+): (.*)$/s.exec(message) ?? [];
  if (!path?.startsWith(name)) return ["", message];
  const number = /\[(\d+)\]$/.exec(path);
  return [
    path.slice(name.length + 1).replace(/\[(\d+)\]/g, ".$1"),
    number ? `${text} (number ${Number(number[1]) + 1})` : text
  ];
}
