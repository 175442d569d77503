// Addresses of screens, which are behind the '#', so that no server sees them: pure.

export const REPOSITORY_TABS = ["information", "tags", "history", "logs", "mirroring", "settings"];
export const ORGANIZATION_TABS = ["repositories", "teams", "robots", "notifications", "mirroring", "logs", "settings"];

/** How many of a repository's, from the first on, are seen by who may read it. */
const READ = 3;
export const repositoryTabs = (isAdmin) => (isAdmin ? REPOSITORY_TABS : REPOSITORY_TABS.slice(0, READ));
/** Those of an organization, by somebody's place in it, if they have one: robots are seen by who creates something. */
export const organizationTabs = (isAdmin, place) =>
  isAdmin
    ? ORGANIZATION_TABS
    : ORGANIZATION_TABS.slice(0, !place ? 1 : place.role ? 4 : place.can_create_repo ? 3 : 2);

/** The screen that an address names: its name, what it is about, its tab and its query. */
export function parse(hash) {
  const [where, search = ""] = hash.replace(/^#\/?/, "").split("?");
  const query = Object.fromEntries(new URLSearchParams(search));
  let parts;
  try {
    parts = where.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return { screen: "missing", query };
  }
  const [screen = "mirrors", ...rest] = parts;
  if (screen === "repository") {
    // A repository has two parts at least, so that its last one is a tab only if it is the third or a further one.
    const tab = rest.length > 2 && REPOSITORY_TABS.includes(rest.at(-1)) ? rest.pop() : "information";
    return rest.length < 2 ? { screen: "missing", query } : { screen, name: rest.join("/"), tab, query };
  }
  if (screen === "organization") {
    const tab = ORGANIZATION_TABS.includes(rest[1]) ? rest[1] : "repositories";
    return rest.length ? { screen, name: rest[0], tab, query } : { screen: "missing", query };
  }
  return { screen, query };
}

const encoded = (name) => name.split("/").map(encodeURIComponent).join("/");
const search = (query) => {
  const given = new URLSearchParams(Object.entries(query ?? {}).filter(([, value]) => value));
  return given.size ? `?${given}` : "";
};

export const toRepository = (name, tab, query) =>
  `#/repository/${encoded(name)}/${tab || "information"}${search(query)}`;
export const toOrganization = (name, tab, query) =>
  `#/organization/${encoded(name)}/${tab || "repositories"}${search(query)}`;
export const toScreen = (screen = "", query) => `#/${screen}${search(query)}`;
