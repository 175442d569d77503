// What an entry of the usage log says, as Quay words it. Pure.

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

const repository = (it) => `${it.namespace}/${it.repo}`;
const given = (...parts) => parts.filter((part) => part !== null && part !== undefined && part !== "").join(" ");
const who = (it) => (it.team ? `team ${it.team}` : `user ${it.username ?? ""}`);
const value = (to) => (Array.isArray(to) ? to.join(", ") : to === null || to === undefined ? "nothing" : String(to));

const TEXTS = {
  create_robot: (it) => `Create Robot Account ${it.robot}`,
  delete_robot: (it) => `Delete Robot Account ${it.robot}`,
  regenerate_robot_token: (it) => `Regenerated token for robot ${it.robot}`,
  create_repo: (it) => `Create Repository ${repository(it)}`,
  delete_repo: (it) => `Delete repository ${it.repo}`,
  repo_mirror_sync_started: (it) => `Mirror started for ${it.message}`,
  repo_mirror_sync_success: (it) => given("Mirror finished successfully for", it.message, it.tags),
  repo_mirror_sync_failed: (it) =>
    given("Mirror finished unsuccessfully for", it.message, it.tags, it.stdout, it.stderr),
  repo_mirror_sync_warning: (it) => given("Mirror warning for", it.message, it.tags, it.stdout, it.stderr),
  repo_mirror_sync_tag_success: (it) =>
    given(`Mirror of ${it.tag} successful to repository ${repository(it)}`, it.message, it.stdout, it.stderr),
  repo_mirror_sync_tag_failed: (it) =>
    given(`Mirror of ${it.tag} failure to repository ${repository(it)}`, it.message, it.stdout, it.stderr),
  repo_mirror_config_changed: (it) => {
    if (it.changed === "sync_status" && /CANCEL/.test(it.to)) return "Mirror canceled";
    if (it.changed === "sync_status" && it.to === "SYNC_NOW") return "Immediate mirror scheduled";
    return `Mirror ${SETTINGS[it.changed] ?? it.changed} changed to ${value(it.to)}`;
  },
  change_repo_state: (it) =>
    `Repository state changed to ${String(it.state_changed).toLowerCase().replaceAll("_", " ")}`,
  change_repo_permission: (it) => `Change permission for ${who(it)} in repository ${it.repo} to ${it.role}`,
  delete_repo_permission: (it) => `Remove permission for ${who(it)} from repository ${repository(it)}`,
  change_repo_visibility: (it) => `Change visibility for repository ${repository(it)} to ${it.visibility}`,
  set_repo_description: (it) => `Change description for repository ${repository(it)} to ${it.description}`,
  revert_tag: (it) => `Tag ${it.tag} restored to ${it.manifest_digest ?? it.image}`,
  delete_tag: (it) =>
    given(`Tag ${it.tag} deleted in repository ${repository(it)}`, it.username && `by user ${it.username}`),
  create_tag: (it) =>
    given(
      `Tag ${it.tag} created in repository ${repository(it)} on image ${it.image ?? it.manifest_digest}`,
      it.username && `by user ${it.username}`
    ),
  move_tag: (it) =>
    given(
      `Tag ${it.tag} moved from ${it.original_manifest_digest ?? it.original_image} to ${it.manifest_digest ?? it.image} in repository ${repository(it)}`,
      it.username && `by user ${it.username}`
    ),
  org_create: (it) => `Organization ${it.namespace} created`,
  org_delete: (it) => `Organization ${it.namespace} deleted`,
  org_change_email: (it) => `Change organization email from ${value(it.old_email)} to ${value(it.email)}`,
  org_create_team: (it) => `Create team ${it.team}`,
  org_delete_team: (it) => `Delete team ${it.team}`,
  org_add_team_member: (it) => `Add member ${it.member} to team ${it.team}`,
  org_remove_team_member: (it) => `Remove member ${it.member} from team ${it.team}`,
  org_set_team_description: (it) => `Change description of team ${it.team} to ${value(it.description)}`,
  org_set_team_role: (it) => `Change permission of team ${it.team} to ${it.role}`,
  org_mirror_enabled: (it) => `Organization mirror of ${it.external_registry_url}/${it.external_namespace} enabled`,
  org_mirror_disabled: (it) => `Organization mirror of ${it.namespace} disabled`,
  org_mirror_config_changed: (it) =>
    it.changed ? `Organization mirror ${it.changed} changed to ${value(it.to)}` : "Organization mirror changed",
  org_mirror_sync_now_requested: (it) => `Immediate organization mirror sync of ${it.namespace} requested`,
  org_mirror_sync_cancelled: (it) => `Organization mirror sync of ${it.namespace} cancelled`
};

/** The text of an entry. Kinds that are not known say their name and message. */
export function logText({ kind, metadata }) {
  const text = TEXTS[kind];
  return text ? text(metadata) : given(kind.replaceAll("_", " "), metadata.message);
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
