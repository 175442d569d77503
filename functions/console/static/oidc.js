// Signing in with the company's OpenID provider: the code flow with PKCE, as far as the browser has a part in it. What it
// keeps meanwhile is this tab's.

const KEY = "moorage-sign-in";
/** That somebody has signed out in this browser. */
const LEFT = "moorage-signed-out";
/** Bytes of what nobody can guess. */
const SECRET = 32;

/** Where the provider sends the browser back to. */
const redirect_uri = `${location.origin}/console`;

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const secret = () => base64url(crypto.getRandomValues(new Uint8Array(SECRET)));

/** What a token says. Nothing is believed of it that the API has not verified. */
export function claims(token) {
  const text = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (it) => it.charCodeAt(0))));
}

/** Has the provider ask who comes next: by its own session that would be whoever has signed out here. */
export const left = () => localStorage.setItem(LEFT, "true");

/** Goes to the provider. What the API says of it may have any address, but no script. */
export async function begin({ issuer, client_id, scopes, authorization_endpoint }) {
  const where = new URL(authorization_endpoint);
  if (!crypto.subtle || !/^https?:$/.test(where.protocol)) throw new Error("This can be done over https alone.");
  const [state, nonce, code_verifier] = [secret(), secret(), secret()],
    hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(code_verifier));
  sessionStorage.setItem(KEY, JSON.stringify({ issuer, state, nonce, code_verifier, screen: location.hash }));
  const asked = {
    response_type: "code",
    client_id,
    redirect_uri,
    scope: scopes,
    state,
    nonce,
    code_challenge: base64url(new Uint8Array(hash)),
    code_challenge_method: "S256"
  };
  if (localStorage.getItem(LEFT)) asked.prompt = "select_account";
  for (const pair of Object.entries(asked)) where.searchParams.set(...pair);
  location.assign(where);
}

/** What the provider has sent the browser back with, once, which is then in the address no more; nothing if it has not. */
export function returned() {
  const { search, pathname, hash } = location;
  if (!new URLSearchParams(search).has("state")) return null;
  const kept = JSON.parse(sessionStorage.getItem(KEY));
  const answer = judged(search, kept);
  // That of another sign-in ends none that was begun here.
  if (answer.code) sessionStorage.removeItem(KEY);
  if (!answer.isOther) localStorage.removeItem(LEFT);
  history.replaceState(null, "", pathname + (kept?.screen || hash));
  return answer;
}

/** What is to be exchanged, and the nonce that is to come of it; or why nothing is: pure. */
export function judged(search, kept) {
  const { state, iss, code, error } = Object.fromEntries(new URLSearchParams(search));
  if (!kept || state !== kept.state)
    return { why: "This sign-in was not begun in this tab. Begin it here.", isOther: true };
  if (iss !== undefined && iss !== kept.issuer) return { why: "Another provider has answered.", isOther: true };
  if (!code) return { why: `The provider refused: ${/^[a-z_]{1,64}$/.test(error) ? error : "it does not say why"}` };
  return { code, code_verifier: kept.code_verifier, redirect_uri, nonce: kept.nonce };
}
