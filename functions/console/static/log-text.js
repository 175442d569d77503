// What an entry of the usage log says, as Quay words it. Pure.

import { LABELS, worded } from "./mirror-fields.js";
import { short } from "./text.js";

/** Settings of a mirror, as Quay's log names them; the others are as in the forms. */
const SETTINGS = {
  sync_start_date: "Sync Start Date",
  external_reference: "External Reference",
  mirror_rule: "Tags",
  external_registry_username: "External Registry Username",
  external_registry_password: "External Registry Password"
};

const setting = (name) => SETTINGS[name] ?? LABELS[name] ?? name.replaceAll("_", " ");
const value = (to) =>
  Array.isArray(to) ? to.join(", ") : to instanceof Object ? JSON.stringify(to) : String(to ?? "nothing");

/** What texts name of an entry besides its own fields. */
const MORE = {
  repository: (it) => `${it.namespace}/${it.repo}`,
  at: (it) => (it.repo ? `repository ${it.namespace}/${it.repo}` : `organization ${it.namespace}`),
  sync: (it) => `Organization mirror sync of ${it.namespace}`,
  who: (it) => (it.team ? `team ${it.team}` : `user ${it.username ?? ""}`),
  digest: (it) => it.manifest_digest ?? it.image,
  original: (it) => it.original_manifest_digest ?? it.original_image,
  event: (it) => it.event?.replace(/^repo_/, "").replaceAll("_", " "),
  by: (it) => it.username && `by user ${it.username}`,
  message: (it) => it.message && worded(it.message),
  out: (it) => worded([it.stdout, it.stderr].filter(Boolean).join("; ")),
  fields: (it) => (it.updated_fields ?? []).map(setting).join(", ")
};
/** What is in braces is the entry's; what has a question mark may be missing, with the sign before it. */
const TEXTS = {
  create_robot: "Create Robot Account {robot}",
  delete_robot: "Delete Robot Account {robot}",
  regenerate_robot_token: "Regenerated token for robot {robot}",
  create_robot_federation: "Workloads may log in as robot {robot}",
  delete_robot_federation: "No workload may log in as robot {robot}",
  federated_robot_token_exchange: "{subject} of {issuer} logged in as robot {robot}",
  create_repo: "Create Repository {repository}",
  delete_repo: "Delete repository {repo}",
  repo_mirror_sync_started: "Mirror started for {message}",
  repo_mirror_sync_success: "Mirror finished successfully for {?message}: {?tags}",
  repo_mirror_sync_failed: "Mirror finished unsuccessfully for {?message}: {?tags}; {?out}",
  repo_mirror_sync_warning: "Mirror warning for {?message}: {?tags}; {?out}",
  repo_mirror_sync_tag_success:
    "Mirror of {tag} successful to {at}: {?message}; {?out}",
  repo_mirror_sync_tag_failed: "Mirror of {tag} failure to {at}: {?message}; {?out}",
  repo_mirror_config_changed: ({ changed, to }) => {
    if (changed === "sync_status") return /CANCEL/.test(to) ? "Mirror canceled" : "Immediate mirror scheduled";
    if (changed === "mirror") return "Mirror deleted";
    if (changed === "rate_limit") return "Rate limit of the registry forgotten";
    if (changed === "hold_released")
      return `Image ${short(to?.digest)} released for ${value(to?.tags)}: ${value(to?.reason)}`;
    return `Mirror ${setting(changed)} changed to ${value(to)}`;
  },
  add_repo_notification: 'Notification of "{event}" by {method} added to {at}',
  delete_repo_notification: 'Notification of "{event}" by {method} removed from {at}',
  reset_repo_notification: 'Notification of "{event}" by {method} started again in {at}',
  change_repo_state: (it) =>
    `Repository state changed to ${String(it.state_changed).toLowerCase().replaceAll("_", " ")}`,
  change_repo_permission: "Change permission for {who} in repository {repo} to {role}",
  delete_repo_permission: "Remove permission for {who} from {at}",
  change_repo_visibility: "Change visibility for {at} to {visibility}",
  set_repo_description: "Change description for {at} to {description}",
  revert_tag: "Tag {tag} restored to {digest}",
  delete_tag: "Tag {tag} deleted in {at} {?by}: {?message}",
  create_tag: "Tag {tag} created in {at} on image {digest} {?by}",
  move_tag: "Tag {tag} moved from {original} to {digest} in {at} {?by}",
  org_create: "Organization {namespace} created",
  org_delete: "Organization {namespace} deleted",
  org_change_email: "Change organization email from {old_email} to {email}",
  org_create_team: "Create team {team}",
  org_delete_team: "Delete team {team}",
  org_add_team_member: "Add member {member} to team {team}",
  org_remove_team_member: "Remove member {member} from team {team}",
  org_set_team_description: "Change description of team {team} to {description}",
  org_set_team_role: "Change permission of team {team} to {role}",
  enable_team_sync: "Team {team} follows group {group}",
  disable_team_sync: "Team {team} follows no group any more",
  org_mirror_enabled: "Organization mirror of {external_registry_url}/{external_namespace} enabled",
  org_mirror_disabled: "Organization mirror of {namespace} disabled",
  org_mirror_config_changed: "Organization mirror changed: {?fields}",
  org_mirror_sync_now_requested: "Immediate organization mirror sync of {namespace} requested",
  org_mirror_sync_cancelled: "{sync} cancelled",
  org_mirror_sync_started: "{sync} started: {?message}",
  org_mirror_sync_success: "{sync} finished successfully: {?message}",
  org_mirror_sync_failed: "{sync} finished unsuccessfully: {?message}",
  org_mirror_repo_created: "Organization mirror created {at}",
  org_mirror_repo_creation_failed: "Organization mirror could not create repositories: {?message}"
};

/** The text of an entry. Kinds that are not known say their name and message. */
export function logText({ kind, metadata }) {
  const text = TEXTS[kind] ?? `${kind.replaceAll("_", " ")}: {?message}`;
  if (typeof text === "function") return text(metadata);
  return text.replace(/([:;]? ?)\{(\??)(\w+)\}/g, (_, space, optional, name) => {
    const found = MORE[name] ? MORE[name](metadata) : metadata[name];
    return optional && !found ? "" : space + value(found);
  });
}

const isAsked = (it) => it.metadata.changed === "sync_status" || /sync_(now|cancel)/.test(it.kind);
const kinds = (wanted) => (it) => wanted.test(it.kind) && !isAsked(it);

/** Groups of entries that people look for. */
export const GROUPS = [
  ["", "Everything", () => true],
  ["failures", "Failures and warnings", kinds(/failed|warning/)],
  ["syncs", "Syncs", (it) => isAsked(it) || /mirror_sync|org_mirror_repo/.test(it.kind)],
  ["settings", "Settings of mirrors", kinds(/mirror_config|org_mirror_(en|dis)abled/)],
  ["tags", "Tags", kinds(/_tag$|sync_tag/)],
  ["access", "Robots, teams and permissions", kinds(/robot|team|permission|visibility/)]
];
