// Signs in: by the company's provider, or with a token. That is kept for this tab alone.

import {
  acting, actions, dropToken, exchange, fill, forget, h, hint, identify, keepSignIn, keepToken, p, problem,
  provider
} from "./kit.js";
import { begin, claims } from "./oidc.js";

let why = null;

/** Why the session before ended. */
export function because(text) {
  why = text;
}

/** The end of a sign-in that the provider has sent the browser back from. */
export async function finish({ why, nonce, ...body }) {
  if (why) throw new Error(why);
  const given = await exchange(body);
  if (claims(given.id_token).nonce !== nonce) throw new Error("The provider has answered another sign-in.");
  keepSignIn(given);
}

export function show(view, done) {
  document.title = "Sign in · Moorage";
  const place = h("div", why && problem({ message: why })),
    people = h("div");
  why = null;
  const input = h("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    "aria-required": "true",
    "aria-describedby": "token-help",
    oninput: () => {
      submit.disabled = !input.value.trim();
    }
  });
  const submit = h("button", { type: "submit", class: "main", disabled: true }, "Sign in");
  fill(
    view,
    h(
      "section.box.sign-in",
      h("span.anchor", { "aria-hidden": "true" }),
      h("h1", { tabindex: "-1" }, "Moorage"),
      place,
      people,
      h(
        "form",
        { novalidate: "", onsubmit: send },
        h("label", { for: "token" }, "API token"),
        input,
        h("p.help", { id: "token-help" }, "It stays in this tab until you sign out."),
        submit
      ),
      h(
        "details",
        h("summary", "Where do I get one?"),
        p(
          "The first is the stack's secret AdminTokenSecretArn, or in target/local/env; others are made under Tokens."
        )
      )
    )
  );
  input.focus();
  provider().then((oidc) => oidc && fill(people, byProvider(oidc)));

  function byProvider(oidc) {
    const { host } = new URL(oidc.issuer);
    if (oidc.unreachable) return hint(`${host}, with which people sign in, cannot be reached at present.`);
    return actions(acting(`Sign in with ${host}`, place, () => begin(oidc), "main"));
  }

  async function send(event) {
    event.preventDefault();
    submit.disabled = true;
    fill(place);
    keepToken(input.value.trim());
    try {
      await identify();
      await done();
    } catch (error) {
      dropToken();
      forget();
      fill(place, problem(error.status === 401 ? { message: "This token is not known, or has ended." } : error));
      submit.disabled = false;
    }
  }
}
