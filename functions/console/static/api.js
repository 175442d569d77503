// The only module that talks to the network: the public API, and the registry, with the token of whoever is signed in.

import { claims } from "./oidc.js";
import { life } from "./screen.js";

const KEY = "moorage-token";
/** What the next token is got with, and when: of a sign-in that can be renewed. */
const RENEWAL = "moorage-renewal";
/** How much of a sign-in's time passes before it is renewed. */
const RENEWED_AT = 0.8;
/** Milliseconds that a tab waits to have its sign-in for itself: a page that is loaded again has it from the one before. */
const PATIENCE = 1_000;
/** Milliseconds until it is tried again. */
const AGAIN = 30_000;
/** Pages that are read of one list. */
const PAGES = 20;

export const token = () => sessionStorage.getItem(KEY);
export const keepToken = (text) => sessionStorage.setItem(KEY, text);
export const dropToken = () => [KEY, RENEWAL].forEach((key) => sessionStorage.removeItem(key));
/** Whether somebody has signed in by a provider: its tokens are JWTs. */
export const isSignIn = () => token()?.split(".").length === 3;

/** Keeps what a sign-in has come to. */
export function keepSignIn({ id_token, refresh_token, tab = crypto.randomUUID() }) {
  const { exp, iat } = claims(id_token);
  keepToken(id_token);
  if (refresh_token) renewAt((exp - iat) * 1000 * RENEWED_AT, { refresh_token, tab });
  claim();
}
const renewal = () => JSON.parse(sessionStorage.getItem(RENEWAL)) ?? {};
const renewAt = (from_now, more) =>
  sessionStorage.setItem(RENEWAL, JSON.stringify({ at: Date.now() + from_now, ...more }));

let held, claimed;
/**
 * Has the sign-in be this tab's as long as it is open. Browsers copy a tab with all that it keeps, and providers that are shown
 * one refresh token by two end the sign-in of both: a copy drops its own.
 */
function claim() {
  const { tab } = renewal();
  if (!tab || tab === held) return;
  held = tab;
  claimed = new Promise((done) => {
    const hold = () => {
      done();
      return new Promise(() => {});
    };
    navigator.locks.request(`moorage-${tab}`, { signal: AbortSignal.timeout(PATIENCE) }, hold).catch(() => {
      if (renewal().tab === tab) sessionStorage.removeItem(RENEWAL);
      done();
    });
  });
}
claim();

/** What the API gets of the provider for a code, or for what a sign-in is renewed with. */
export async function exchange(body) {
  const headers = { "Content-Type": "application/json" },
    answer = await ask("/api/v1/signin/oidc", { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw problemOf(answer);
  return parsed(answer.text);
}

let renewing;
/** Renews a sign-in whose time is nearly over. One that cannot be ends when it would have. */
async function renewed() {
  if (renewal().at < Date.now()) await (renewing ??= renew().finally(() => (renewing = null)));
}
async function renew() {
  await claimed;
  const kept = sessionStorage.getItem(RENEWAL),
    { refresh_token, tab } = renewal();
  if (!kept) return;
  // Whoever has signed out meanwhile stays so.
  const isKept = () => sessionStorage.getItem(RENEWAL) === kept;
  try {
    const given = await exchange({ refresh_token });
    if (isKept()) keepSignIn({ refresh_token, tab, ...given });
  } catch (error) {
    if (!isKept()) return;
    if (error.status === 401) sessionStorage.removeItem(RENEWAL);
    else renewAt(AGAIN, { refresh_token, tab });
  }
}

/** What answers were versions of: a change may say which one it is meant for. */
const versions = new WeakMap();

/** A call that failed, with the API's words. */
export class Problem extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** A path below `/api/v1/`. What is put in is encoded, but for slashes, and cannot lead to another call. */
export function path(strings, ...values) {
  return strings.reduce((before, text, index) => before + segments(values[index - 1]) + text);
}

function segments(value) {
  return String(value)
    .split("/")
    .map((segment) => {
      if (segment === "" || segment === "." || segment === "..") throw new Problem(`'${value}' is no name`, 400);
      return encodeURIComponent(segment);
    })
    .join("/");
}

/**
 * Calls the API. A change is of what was read, if that is given in `of`, and of nothing newer. `accept` says of which errors the answers are wanted as they are; `raw` gives text. A token that is not
 * known any more ends the session. Changes are not given up half-way; but what waits for them ends with its screen, too.
 */
export async function call(method, where, { body, query, of, accept = () => false, raw = false, signal } = {}) {
  const ends = signal ?? life();
  const search = new URLSearchParams(
    Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "")
  );
  await renewed();
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (versions.has(of)) headers["If-Match"] = versions.get(of);
  const answer = await ask(`/api/v1/${where}${search.size ? `?${search}` : ""}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: method === "GET" ? ends : signal
  });
  ends.throwIfAborted();
  const said = raw ? answer.text : parsed(answer.text);
  const version = answer.headers.get("ETag");
  if (version && said) versions.set(said, version);
  if (answer.ok || accept(said)) return said;
  const problem = problemOf(answer);
  if (answer.status === 401) document.dispatchEvent(new CustomEvent("signed-out", { detail: problem.message }));
  throw problem;
}

export const get = (where, query, options) => call("GET", where, { query, ...options });

/** What a call is caught with that may find nothing: null is what is not there. */
export function orNull(error) {
  if (error.status === 404) return null;
  throw error;
}

/** What a call is caught with that not everybody may do: this instead. */
export const orHidden = (instead) => (error) => {
  if (error.status !== 403) throw error;
  return instead;
};

/** All pages of lists, up to a number of pages. */
export async function pages(where, query, ...keys) {
  const all = [];
  let next;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await get(where, { ...query, next_page: next });
    for (const key of keys) all.push(...answer[key]);
    next = answer.next_page;
    if (!next) break;
  }
  return all;
}

/** What a call that failed is thrown as. */
const problemOf = ({ text, status, headers }) =>
  new Problem(
    words(text, status) +
      (status === 403 ? `: ${isSignIn() ? "you" : "this token"} may not do that. An administrator may.` : ""),
    status,
    Number(headers.get("Retry-After")) || null
  );

/** A document of the registry, at the same address: a manifest, or what refers to one. Nothing if it has none. */
export async function registry(repository, what, reference) {
  const login = btoa(`$oauthtoken:${token()}`);
  const answer = await ask(`/v2/${segments(repository)}/${what}/${segments(reference)}`, {
    headers: { Authorization: `Basic ${login}`, Accept: "*/*" },
    signal: life()
  });
  if (answer.ok) return parsed(answer.text);
  return orNull(problemOf(answer));
}

async function ask(where, options) {
  try {
    // Without the browser's own credentials, which are not ours to use, and without its prompt for them.
    const answer = await fetch(where, { credentials: "omit", cache: "no-store", redirect: "error", ...options });
    const { ok, status, headers } = answer;
    return { ok, status, headers, text: await answer.text() };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The API could not be reached.", 0);
  }
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return text;
  }
}

/** The words of an error, in whichever of the API's forms. */
function words(text, status) {
  const body = parsed(text);
  const said =
    body && typeof body === "object" ? (body.message ?? body.detail ?? body.error_message ?? body.title) : null;
  return typeof said === "string" && said ? said : `The API answered with the status ${status}.`;
}
