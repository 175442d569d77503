// Who is signed in, as the API says for each screen: organizations and roles come and go.

import { get, path } from "./api.js";

let user = null;

/** Asks who the token acts for. */
export async function identify() {
  user = await get("user/");
}

export function forget() {
  user = null;
}

/** Whether the token may do everything. */
export const isSuperuser = () => Boolean(user?.super_user);

/** The organizations that the token may see. */
export const organizations = () => user?.organizations ?? [];

/** The names of those in which it may do everything. */
export const administered = () =>
  organizations()
    .filter((it) => it.is_org_admin)
    .map((it) => it.name);

/** Whether it may do everything in a namespace. */
export const isAdmin = (namespace) => isSuperuser() || administered().includes(namespace);

/** Whether it may change descriptions in a namespace. */
export const mayWrite = (namespace) =>
  isSuperuser() || organizations().some((it) => it.name === namespace && it.role !== "read");

/** Whether there is anything that it may make. */
export const isAnyAdmin = () => isSuperuser() || administered().length > 0;

/** Where the robots of a namespace are: the user's own are elsewhere than an organization's. */
export const robotsOf = (namespace) =>
  namespace === user?.username ? "user/robots" : path`organization/${namespace}/robots`;
