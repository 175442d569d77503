// Who is signed in, as the API says for each screen: organizations and roles come and go.

import { get, isSignIn, path } from "./api.js";

let user = null,
  oidc = null,
  asked;

/** The provider that people sign in with; null if there is none. It is asked for once, unless it cannot be reached. */
export async function provider() {
  asked ??= get("signin", {}, { signal: new AbortController().signal });
  oidc = await asked.then((it) => it.oidc, () => (asked = null));
  if (oidc?.unreachable) asked = null;
  return oidc;
}

/** Asks who the token acts for. */
export async function identify() {
  [user] = await Promise.all([get("user/"), oidc ?? provider()]);
}

export function forget() {
  user = null;
}

/** Whether there are people here, and not tokens alone. */
export const hasPeople = () => Boolean(oidc);

/** The name of a person who has signed in; nothing of a token's holder. */
export const person = () => isSignIn() && user?.username;
/** What is said of whoever is signed in. */
export const subject = () => (isSignIn() ? "You" : "This token");

/** Whether the token may do everything. */
export const isSuperuser = () => Boolean(user?.super_user);

/** The organizations that the token may see. */
export const organizations = () => user?.organizations ?? [];

/** The names of those in which it may do everything. */
export const administered = () =>
  organizations()
    .filter((it) => it.is_org_admin)
    .map((it) => it.name);

/** The place in an organization, if there is one. */
export const placeIn = (namespace) => organizations().find((it) => it.name === namespace);

/** Whether it may do everything in a namespace. */
export const isAdmin = (namespace) => isSuperuser() || administered().includes(namespace);

/** Whether it may change descriptions in a namespace. */
export const mayWrite = (namespace) =>
  isSuperuser() || ["write", "admin"].includes(placeIn(namespace)?.role);

/** Whether it may make repositories in a namespace. */
export const mayCreate = (namespace) => isSuperuser() || Boolean(placeIn(namespace)?.can_create_repo);

/** Whether there is anything that it may make. */
export const isAnyAdmin = () => isSuperuser() || administered().length > 0;

/** What finds the people who may be meant in a namespace, by how their names begin; nobody, if none may be found. */
export const peopleOf = (namespace) => async (begins) => {
  const { results } = await get(`entities/${encodeURIComponent(begins)}`, { namespace }).catch(() => ({ results: [] }));
  return results.filter((it) => it.kind === "user" && !it.is_robot).map((it) => it.name);
};

/** Where the robots of a namespace are: the deployment's own are elsewhere than an organization's. People have none. */
export const robotsOf = (namespace) =>
  user?.preferred_namespace && namespace === user.username ? "user/robots" : path`organization/${namespace}/robots`;
