// Addresses of screens, which are behind the '#', so that no server sees them: pure.

export const REPOSITORY_TABS = ["information", "tags", "history", "logs", "mirroring", "settings"];
export const ORGANIZATION_TABS = ["repositories", "teams", "robots", "notifications", "mirroring", "logs", "settings"];

/** How many of them, the last ones, need more than the role to read. */
const ADMINISTERED = 3;
export const shownTabs = (tabs, isAdmin) => (isAdmin ? tabs : tabs.slice(0, -ADMINISTERED));

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
