// Begins: who is signed in, which screen is asked for, and the bar above it.

import * as account from "./account.js";
import * as front from "./front.js";
import * as guide from "./guide.js";
import * as health from "./health.js";
import {
  begin, button, closeAll, denied, dropToken, fill, forget, go, h, heading, identify, isAnswering, isAnyAdmin,
  hasPeople, isSignIn, isSuperuser, isUnsaved, link, p, parse, person, Problem, problem, quiet, say, subject, sure, token,
  toScreen
} from "./kit.js";
import * as logs from "./logs.js";
import { left, returned } from "./oidc.js";
import * as organization from "./organization.js";
import * as repository from "./repository.js";
import * as signIn from "./sign-in.js";
import * as tokens from "./tokens.js";
import * as users from "./users.js";

const SCREENS = {
  account,
  mirrors: front,
  guide,
  health,
  logs,
  organization,
  organizations: { show: organization.list },
  repository,
  tokens,
  users
};
const NAVIGATION = [
  ["", "Mirrors"],
  ["organizations", "Organizations"],
  ["logs", "Logs"],
  ["tokens", "Tokens"],
  ["users", "Users"],
  ["health", "Health"]
];
/** Screens that are of use only to some. */
const ONLY = {
  account: person,
  guide: isAnyAdmin,
  logs: isAnyAdmin,
  tokens: isAnyAdmin,
  users: () => isSuperuser() && hasPeople()
};
/** Whose administrators may, where it is not an organization's. */
const WHOSE = { users: "the deployment" };
const mayUse = (screen) => !ONLY[screen] || ONLY[screen]();

const main = document.getElementById("main");
const bar = document.getElementById("bar");
let first = true,
  isAsked = false;

async function navigate() {
  const ends = begin();
  const view = h("div.view");
  closeAll();
  main.replaceChildren(view);
  bar.hidden = !token();
  if (!token()) return signIn.show(view, navigate);
  const route = parse(location.hash);
  drawBar(route.screen);
  try {
    await identify();
    drawBar(route.screen);
    const screen = SCREENS[route.screen];
    const shown = !screen
      ? fill(view, heading("There is no such page"), p(link(toScreen(), "All mirrors")))
      : mayUse(route.screen)
        ? screen.show(view, route)
        : fill(view, heading(`Not for ${subject().toLowerCase()}`), denied(`use ${toScreen(route.screen)}`, WHOSE[route.screen] ?? "an organization"));
    arrive(view);
    await shown;
  } catch (error) {
    if (error.name !== "AbortError" && error.status !== 401 && !ends.aborted) {
      if (view.querySelector("h1")) view.append(problem(error));
      else fill(view, heading("This could not be shown"), problem(error));
    }
  }
}

/** The page's title and focus follow the screen, as they would follow a document. */
function arrive(view) {
  const heading = view.querySelector("h1");
  view.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  document.title = heading ? `${heading.textContent} · Moorage` : "Moorage";
  if (!first) {
    window.scrollTo(0, 0);
    (heading ?? main).focus({ preventScroll: true });
  }
  first = false;
}

function drawBar(screen) {
  fill(
    bar,
    h("a.brand", { href: toScreen() }, h("span.anchor", { "aria-hidden": "true" }), "Moorage"),
    h(
      "nav",
      { label: "Console" },
      NAVIGATION.filter(([name]) => mayUse(name)).map(([name, text]) =>
        h("a", { href: toScreen(name), "aria-current": screen === (name || "mirrors") ? "page" : undefined }, text)
      )
    ),
    person() && h("a", { href: toScreen("account"), label: `Signed in as ${person()}` }, person()),
    button("Sign out", async () => (await mayLeave()) && leave(null), "small")
  );
}

/** Whether what is shown may be left: not while an answer is waited for, and with unsaved changes only if they may go. */
async function mayLeave() {
  if (isAnswering() || isAsked) return false;
  if (!isUnsaved()) return true;
  isAsked = true;
  const may = await sure("Leave without saving?", "Leave", "What you have filled in here is lost.");
  isAsked = false;
  return may;
}

/** Ends the session; what is shown then says why. */
function leave(why) {
  if (!why && isSignIn()) left();
  dropToken();
  forget();
  signIn.because(why);
  navigate();
  say(why ?? "Signed out");
}

document.addEventListener("signed-out", (event) => {
  if (token() && !bar.hidden) leave(`${isSignIn() ? "Your sign-in" : "The session"} has ended: ${event.detail}`);
});
// What is behind the '#' is a screen's address, and no place of the page.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", async ({ oldURL }) => {
  if (!token() || !(isAnswering() || isUnsaved())) return navigate();
  // The address is that of what is shown, until that is left.
  const wanted = location.hash;
  history.replaceState(null, "", oldURL);
  return (await mayLeave()) && go(wanted);
});
// What nobody waits for any more is no failure; what nobody has shown is shown here.
addEventListener("unhandledrejection", (event) => {
  if (event.reason?.name === "AbortError") event.preventDefault();
  else if (event.reason instanceof Problem) main.prepend(problem(event.reason));
});
addEventListener("beforeunload", (event) => {
  if (token() && (isAnswering() || isUnsaved())) event.preventDefault();
});

/** Begins; with the end of a sign-in, if the provider has sent the browser back. */
async function start() {
  const answer = returned();
  if (answer) {
    fill(main, quiet("Signing in…"));
    // What somebody else has sent a browser with does not end who is signed in there.
    await signIn.finish(answer).catch((error) => token() || signIn.because(error.message));
  }
  return navigate();
}
start();
