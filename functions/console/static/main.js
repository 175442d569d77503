// Begins: who is signed in, which screen is asked for, and the bar above it.

import { dropToken, token } from "./api.js";
import { fill, h, p, say } from "./element.js";
import { button, problem } from "./parts.js";
import { parse, toScreen } from "./route.js";
import { begin } from "./screen.js";
import { forget, me } from "./session.js";
import * as front from "./front.js";
import * as guide from "./guide.js";
import * as health from "./health.js";
import * as logs from "./logs.js";
import * as organization from "./organization.js";
import * as organizations from "./organizations.js";
import * as repository from "./repository.js";
import * as signIn from "./sign-in.js";
import * as tokens from "./tokens.js";

const SCREENS = { mirrors: front, guide, health, logs, organization, organizations, repository, tokens };
const NAVIGATION = [
  ["", "Mirrors"],
  ["organizations", "Organizations"],
  ["logs", "Logs"],
  ["tokens", "Tokens"],
  ["health", "Health"]
];

const main = document.getElementById("main");
const bar = document.getElementById("bar");
let first = true;

async function navigate() {
  const ends = begin();
  const view = h("div", { class: "view" });
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  main.replaceChildren(view);
  bar.hidden = !token();
  if (!token()) return signIn.show(view, navigate);
  const route = parse(location.hash);
  drawBar(route.screen);
  try {
    await me();
    const screen = SCREENS[route.screen];
    if (!screen)
      return void fill(
        view,
        h("h1", { tabindex: "-1" }, "There is no such page"),
        p(h("a", { href: toScreen() }, "All mirrors"))
      );
    const shown = screen.show(view, route);
    arrive(view);
    await shown;
  } catch (error) {
    if (error.name !== "AbortError" && error.status !== 401 && !ends.aborted) {
      if (view.querySelector("h1")) view.append(problem(error));
      else fill(view, h("h1", { tabindex: "-1" }, "This could not be shown"), problem(error));
    }
  }
  return undefined;
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
    h("a", { class: "brand", href: toScreen() }, h("span", { class: "anchor", "aria-hidden": "true" }), "Moorage"),
    h(
      "nav",
      { label: "Console" },
      NAVIGATION.map(([name, text]) =>
        h("a", { href: toScreen(name), "aria-current": screen === (name || "mirrors") ? "page" : undefined }, text)
      )
    ),
    button("Sign out", () => leave(null), "small")
  );
}

/** Ends the session; what is shown then says why. */
function leave(why) {
  dropToken();
  forget();
  signIn.because(why);
  navigate();
  say(why ?? "Signed out");
}

document.addEventListener("signed-out", (event) => {
  if (token() && !bar.hidden) leave(`The session has ended: ${event.detail}`);
});
// The front page's link is the same address as an empty one.
addEventListener("hashchange", navigate);
navigate();
