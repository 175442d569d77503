// What an entry of the usage log says, as Quay words it. Pure.

/** Settings of a mirror, as Quay names them. */
const SETTINGS = {
  sync_start_date: "Sync Start Date",
  sync_interval: "Sync Interval",
  external_reference: "External Reference",
  mirror_rule: "Tags",
  is_enabled: "Enabled",
  robot_username: "Robot User",
  external_registry_username: "External Registry Username",
  external_registry_password: "External Registry Password",
  verify_tls: "Verify TLS",
  unsigned_images: "Accept Unsigned Images",
  http_proxy: "HTTP_PROXY",
  https_proxy: "HTTPS_PROXY",
  no_proxy: "NO_PROXY"
};

const value = (to) => (Array.isArray(to) ? to.join(", ") : String(to ?? "nothing"));

/** What texts name of an entry besides its own fields. */
const MORE = {
  repository: (it) => `${it.namespace}/${it.repo}`,
  who: (it) => (it.team ? `team ${it.team}` : `user ${it.username ?? ""}`),
  digest: (it) => it.manifest_digest ?? it.image,
  original: (it) => it.original_manifest_digest ?? it.original_image,
  by: (it) => it.username && `by user ${it.username}`
};
/** What is in braces is the entry's; what has a question mark may be missing. */
const TEXTS = {
  create_robot: "Create Robot Account {robot}",
  delete_robot: "Delete Robot Account {robot}",
  regenerate_robot_token: "Regenerated token for robot {robot}",
  create_repo: "Create Repository {repository}",
  delete_repo: "Delete repository {repo}",
  repo_mirror_sync_started: "Mirror started for {message}",
  repo_mirror_sync_success: "Mirror finished successfully for {?message} {?tags}",
  repo_mirror_sync_failed: "Mirror finished unsuccessfully for {?message} {?tags} {?stdout} {?stderr}",
  repo_mirror_sync_warning: "Mirror warning for {?message} {?tags} {?stdout} {?stderr}",
  repo_mirror_sync_tag_success:
    "Mirror of {tag} successful to repository {repository} {?message} {?stdout} {?stderr}",
  repo_mirror_sync_tag_failed: "Mirror of {tag} failure to repository {repository} {?message} {?stdout} {?stderr}",
  repo_mirror_config_changed: ({ changed, to }) => {
    if (changed === "sync_status" && /CANCEL/.test(to)) return "Mirror canceled";
    if (changed === "sync_status" && to === "SYNC_NOW") return "Immediate mirror scheduled";
    return `Mirror ${SETTINGS[changed] ?? changed} changed to ${value(to)}`;
  },
  change_repo_state: (it) =>
    `Repository state changed to ${String(it.state_changed).toLowerCase().replaceAll("_", " ")}`,
  change_repo_permission: "Change permission for {who} in repository {repo} to {role}",
  delete_repo_permission: "Remove permission for {who} from repository {repository}",
  change_repo_visibility: "Change visibility for repository {repository} to {visibility}",
  set_repo_description: "Change description for repository {repository} to {description}",
  revert_tag: "Tag {tag} restored to {digest}",
  delete_tag: "Tag {tag} deleted in repository {repository} {?by}",
  create_tag: "Tag {tag} created in repository {repository} on image {digest} {?by}",
  move_tag: "Tag {tag} moved from {original} to {digest} in repository {repository} {?by}",
  org_create: "Organization {namespace} created",
  org_delete: "Organization {namespace} deleted",
  org_change_email: "Change organization email from {old_email} to {email}",
  org_create_team: "Create team {team}",
  org_delete_team: "Delete team {team}",
  org_add_team_member: "Add member {member} to team {team}",
  org_remove_team_member: "Remove member {member} from team {team}",
  org_set_team_description: "Change description of team {team} to {description}",
  org_set_team_role: "Change permission of team {team} to {role}",
  org_mirror_enabled: "Organization mirror of {external_registry_url}/{external_namespace} enabled",
  org_mirror_disabled: "Organization mirror of {namespace} disabled",
  org_mirror_config_changed: ({ changed, to }) =>
    changed ? `Organization mirror ${changed} changed to ${value(to)}` : "Organization mirror changed",
  org_mirror_sync_now_requested: "Immediate organization mirror sync of {namespace} requested",
  org_mirror_sync_cancelled: "Organization mirror sync of {namespace} cancelled"
};

/** The text of an entry. Kinds that are not known say their name and message. */
export function logText({ kind, metadata }) {
  const text = TEXTS[kind] ?? `${kind.replaceAll("_", " ")} {?message}`;
  if (typeof text === "function") return text(metadata);
  return text.replace(/( ?)\{(\??)(\w+)\}/g, (_, space, optional, name) => {
    const found = MORE[name] ? MORE[name](metadata) : metadata[name];
    return optional && !found ? "" : space + value(found);
  });
}

/** Groups of kinds that people look for. */
export const GROUPS = [
  ["", "Everything", () => true],
  ["failures", "Failures and warnings", (kind) => /failed|warning/.test(kind)],
  ["syncs", "Syncs", (kind) => /mirror_sync|org_mirror_repo/.test(kind)],
  ["settings", "Settings of mirrors", (kind) => /mirror_config|org_mirror_(en|dis)abled/.test(kind)],
  ["tags", "Tags", (kind) => /_tag$|sync_tag/.test(kind)],
  ["access", "Robots, teams and permissions", (kind) => /robot|team|permission|visibility/.test(kind)]
];
