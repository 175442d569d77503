// The fields of a mirror's form, Quay's and ours, and what the API takes and gives for them.

import { CLOUD } from "./clouds.js";
import { h } from "./element.js";
import { GATE, GATE_LABELS } from "./gate.js";
import { both, date, iso } from "./text.js";

const ARCHITECTURES = ["amd64", "arm64", "ppc64le", "s390x"];

export const USERNAME = {
  name: "external_registry_username",
  label: "Username",
  help: "Only if the registry asks for a login."
};
export const PASSWORD = { name: "external_registry_password", label: "Password", kind: "password" };
export const TLS = {
  name: "verify_tls",
  label: "Verify TLS",
  kind: "checkbox",
  help: "Without it any certificate will do, and plain http."
};
export const INTERVAL = {
  name: "sync_interval",
  label: "Sync Interval",
  kind: "duration",
  required: true,
  also: /minimum of 60/
};

/** What is mirrored. */
export const sourceFields = [
  {
    name: "external_reference",
    label: "Registry Location",
    required: true,
    placeholder: "registry.example.com/library/app",
    also: /registry (reference|location)/,
    help: "Host and path, as in a pull command, without a tag."
  },
  {
    name: "root_rule",
    label: "Tags",
    kind: "csv",
    required: true,
    placeholder: "latest, v1.*",
    also: /rule_value/,
    help: "Names or patterns, separated by commas. Other tags are deleted here."
  }
];

/** Fields of a repository's mirror. `exists` says whether it is changed, or made; `another` how a robot that is not listed is chosen. */
export const fields = (exists, robots, another) => [
  { group: "External repository" },
  { name: "is_enabled", label: "Enabled", kind: "checkbox", help: "Scheduled syncs are made only while it is." },
  ...sourceFields,
  ...scheduleFields(exists, robots, another, "skopeo_timeout_interval"),
  {
    name: "architecture_filter",
    label: "Architecture filter",
    kind: "several",
    options: ARCHITECTURES,
    help: "None selects all. An index loses images of others."
  },
  ...credentialFields(exists),
  ...policyFields()
];

/** When it is synced, and by whom; `timeout` is what the API calls that there. */
const scheduleFields = (exists, robots, another, timeout) => [
  {
    name: "sync_start_date",
    label: exists ? "Next Sync Date" : "Start Date",
    kind: "datetime",
    required: true,
    help: "In your time zone."
  },
  INTERVAL,
  {
    name: timeout,
    label: "Skopeo timeout interval",
    kind: "duration",
    units: ["minutes", "seconds", "hours"],
    help: "For the beginning of an answer."
  },
  {
    name: "robot_username",
    label: "Robot User",
    kind: "picker",
    required: true,
    options: robots,
    ...another,
    help: "It writes the images, and may pull them, too."
  }
];

const credentialFields = (exists) => [
  { group: "Credentials" },
  CLOUD,
  USERNAME,
  {
    ...PASSWORD,
    help: exists ? "Empty keeps the stored one, unless host, proxy or Verify TLS change." : undefined
  },
  ...(exists ? [{ name: "forget_password", label: "Remove the stored password", kind: "checkbox" }] : []),
  { group: "Advanced", more: true },
  TLS,
  { name: "unsigned_images", label: "Accept Unsigned Images", kind: "checkbox" },
  { name: "http_proxy", label: "HTTP Proxy", placeholder: "http://proxy.example.com:3128" },
  { name: "https_proxy", label: "HTTPS Proxy", placeholder: "http://proxy.example.com:3128" },
  { name: "no_proxy", label: "No Proxy", placeholder: "localhost, .example.com" },
  {
    name: "token_realms",
    label: "Further token servers",
    kind: "csv",
    help: "Hosts of other domains that get the credentials."
  },
  ...tlsFields(exists)
];

/** What TLS goes by. */
export const tlsFields = (exists) => [
  { name: "stored_tls", make: (_, tls) => ({ element: h("p.help", tls && toldOf(tls)), get: () => tls, set() {}, wrong() {} }) },
  ...Object.entries(PEM).map(([name, label]) => ({
    name,
    label,
    kind: "area",
    help: `In PEM.${exists ? " Empty keeps it." : ""}`
  })),
  ...(exists ? [{ name: "forget_tls", label: "Remove authorities and certificate", kind: "checkbox" }] : [])
];
const PEM = { ca_bundle: "Authorities", client_certificate: "Client certificate", client_key: "Client key" };
/** What a form says of it: nothing, null where it goes, or what is new. */
export function tlsOf(filled) {
  const sent = Object.entries(filled).filter(([name, text]) => PEM[name] && text);
  return filled.forget_tls ? null : sent.length ? Object.fromEntries(sent) : undefined;
}
/** What is said of what is stored of it. */
export const toldOf = (tls) => Object.entries(tls).map((it) => it.join(" ").replace("_", " ")).join(", ");

const policyFields = () => [
  { group: "Deletions", more: true },
  {
    name: "deletion_limit",
    label: "Deletions in one sync",
    kind: "number",
    help: "At most; 0: any number. Empty: what the rule leaves out, and a few of what vanished."
  },
  {
    name: "deletion_grace",
    label: "Lists before a tag goes",
    kind: "number",
    help: "Of which the registry will not say whether it has it; 0: never. Empty: 3."
  },
  { group: "Requests", more: true },
  {
    name: "rate_limit_floor",
    label: "Pulls left to others",
    kind: "number",
    help: "Of what the registry allows, if it says so."
  },
  {
    name: "digest_listing",
    label: "Listing with digests",
    kind: "picker",
    options: async () => ["off", "tags_list", "quay", "harbor", "docker_hub"],
    none: "Whichever there is"
  }
];

/** Fields of the mirror of a whole organization. */
export const organizationFields = (exists, robots, another) => [
  { group: "External namespace" },
  { name: "is_enabled", label: "Enabled", kind: "checkbox" },
  ...(exists
    ? []
    : [
        {
          name: "external_registry_type",
          label: "Registry type",
          kind: "select",
          options: [
            ["distribution", "Any registry with a catalog"],
            ["harbor", "Harbor"],
            ["quay", "Quay, or another Moorage"]
          ],
          help: "How the registry lists its repositories."
        }
      ]),
  { name: "external_registry_url", label: "Registry URL", required: true, placeholder: "https://registry.example.com" },
  {
    name: "external_namespace",
    label: "Namespace",
    required: true,
    placeholder: "library",
    help: "The organization or project there."
  },
  {
    name: "repository_filters",
    label: "Repository filters",
    kind: "csv",
    placeholder: "app, tools/*",
    help: "Names or patterns; none select all. All tags are mirrored."
  },
  { name: "visibility", label: "Visibility of what is created", kind: "select", options: ["private", "public"] },
  ...scheduleFields(exists, robots, another, "skopeo_timeout"),
  ...credentialFields(exists),
  ...policyFields()
];

/** What the forms call the API's fields. */
export const LABELS = {
  ...GATE_LABELS,
  resume_at: "Paused until",
  allow_insecure: "Over unverified TLS, too",
  allow_proxy: "Through proxies, too",
  ...Object.fromEntries(CLOUD.parts.map(({ path, label }) => [path, label])),
  ...Object.fromEntries([...fields(true), ...organizationFields()].map(({ name, label }) => [name, label]))
};

/** A text of the API's, with its fields as the forms call them, and times in the reader's zone. */
export const worded = (text) =>
  text
    .replace(/[a-z]+(_[a-z]+)+/g, (name) => (LABELS[name] ? `"${LABELS[name]}"` : name))
    .replace(/\d{4}(-\d\d){2}T[\d:]{8}Z/g, (at) => both(date(at)));

const PROXIES = ["http_proxy", "https_proxy", "no_proxy"];

/** What the fields show of a mirror; of none, what a new one begins with. */
export function toForm(mirror) {
  if (!mirror) {
    return {
      is_enabled: true,
      sync_interval: 86400,
      skopeo_timeout_interval: 300,
      verify_tls: true,
      unsigned_images: false,
      sync_start_date: iso(new Date())
    };
  }
  const config = mirror.external_registry_config ?? {};
  return {
    ...mirror,
    root_rule: mirror.root_rule?.rule_value,
    external_registry_password: "",
    verify_tls: config.verify_tls ?? true,
    unsigned_images: config.unsigned_images ?? false,
    ...Object.fromEntries(PROXIES.map((name) => [name, config.proxy?.[name] ?? ""])),
    token_realms: config.token_realms ?? [],
    credentials: config.credentials,
    stored_tls: config.tls
  };
}

/** All settings that were filled in, as the API has them; `config` is what the mirror has besides. */
export function toBody(filled, config = {}) {
  const proxy = Object.fromEntries(PROXIES.map((name) => [name, filled[name] || null]));
  const kept = {
    ...config,
    verify_tls: filled.verify_tls,
    unsigned_images: filled.unsigned_images,
    proxy: { ...config.proxy, ...proxy }
  };
  if (filled.token_realms?.length || config.token_realms) kept.token_realms = filled.token_realms;
  const tls = tlsOf(filled),
    cloud = filled.credentials ?? null;
  if (tls !== undefined) kept.tls = tls;
  // Whoever logs in by a cloud has no password, which the API would refuse beside it.
  if (cloud || config.credentials) kept.credentials = cloud;
  const body = {
    ...filled,
    external_registry_config: kept,
    external_registry_username: (!cloud && filled.external_registry_username) || null,
    digest_listing: filled.digest_listing || null
  };
  if (Array.isArray(filled.root_rule)) body.root_rule = { rule_kind: "tag_glob_csv", rule_value: filled.root_rule };
  const inside = ["verify_tls", "unsigned_images", "token_realms", "forget_password", "stored_tls", "forget_tls", CLOUD.name];
  for (const name of [...PROXIES, ...inside, ...Object.keys(PEM)])
    delete body[name];
  if (filled.forget_password || (cloud && !config.credentials)) body.external_registry_password = null;
  else if (cloud || !filled.external_registry_password) delete body.external_registry_password;
  return body;
}

const differ = (one, other) => JSON.stringify(one ?? null) !== JSON.stringify(other ?? null);

/** What differs between the settings before and after: only that is sent, so that others' changes stay. */
export function changes(before, after) {
  // A password is never shown: where there is one, or where it is to be none, somebody said so.
  const sends = PASSWORD.name in after;
  return Object.fromEntries(
    Object.entries(after).filter(
      ([name, value]) =>
        differ(value, before[name]) ||
        // The API takes it with its user name alone.
        (sends && (name === PASSWORD.name || name === USERNAME.name))
    )
  );
}

/** What the API says of how a mirror is, and not of how somebody wants it. */
const STANDING = ["status", "expiration_date", "retries_remaining", "warning", "waiting_until", "start_date"].map(
  (it) => `sync_${it}`
);
STANDING.push("repo_sync_status_counts", "status_message");

/** What somebody configures, of all that the API says of a mirror. */
export const configured = (mirror) =>
  Object.fromEntries(Object.entries(mirror).filter(([name]) => !STANDING.includes(name)));

/** For a new mirror: what was left empty is not sent. */
export const filledIn = (body) =>
  Object.fromEntries(
    Object.entries(body).filter(
      ([, value]) => value !== null && value !== "" && !(Array.isArray(value) && !value.length)
    )
  );

const SOURCE = ["external_reference", "external_registry_config", USERNAME.name, PASSWORD.name];

/** What a preview is asked with: what is selected, and the source if it is not the mirror's. */
export function previewed(mirror, filled) {
  const config = mirror?.external_registry_config,
    after = toBody({ ...toForm(mirror), ...filled }, config),
    source = mirror ? changes(toBody(toForm(mirror), config), after) : after,
    asked = Object.fromEntries(SOURCE.filter((name) => name in source).map((name) => [name, source[name]])),
    { root_rule, architecture_filter, deletion_limit } = after,
    // What the mirror has stays unless it is taken away.
    gate = Object.fromEntries(GATE.map((name) => [name, after[name] ?? (mirror?.[name] ? null : undefined)]));
  return { ...asked, ...gate, root_rule, architecture_filter, deletion_limit: deletion_limit ?? undefined };
}

/** Whether a stored password would be dropped by a change that does not send it. */
export const dropsPassword = (before, after) =>
  Boolean(before.external_registry_username) &&
  !("external_registry_password" in after) &&
  (hostOf(before.external_reference ?? before.external_registry_url) !==
    hostOf(after.external_reference ?? after.external_registry_url) ||
    Boolean(after.external_registry_config.tls?.ca_bundle) ||
    ["verify_tls", "proxy"].some((name) =>
      differ(before.external_registry_config[name], after.external_registry_config[name])
    ));

const hostOf = (reference) =>
  String(reference)
    .replace(/^https?:\/\//, "")
    .split("/")[0];
