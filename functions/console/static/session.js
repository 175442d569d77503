// Who is signed in. Asked once for a session.

import { get, path } from "./api.js";

let known = null;

/** What the API says of whoever the token acts for. */
export function me() {
  // Whoever else waits for it does not leave with the screen that asked.
  known ??= get("user/", {}, { signal: new AbortController().signal }).catch((error) => {
    known = null;
    throw error;
  });
  return known;
}

export function forget() {
  known = null;
}

/** Where the robots of a namespace are: the user's own are elsewhere than an organization's. */
export const robotsOf = async (namespace) =>
  namespace === (await me()).username ? "user/robots" : path`organization/${namespace}/robots`;

/** The names of the organizations that the token may see. */
export const organizations = async () => (await me()).organizations.map((it) => it.name);
