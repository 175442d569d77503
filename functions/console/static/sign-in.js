// Asks for a token. It is kept for this tab alone, until it is closed.

import { dropToken, fill, forget, h, identify, keepToken, p, problem } from "./kit.js";

let why = null;

/** Why the session before ended. */
export function because(text) {
  why = text;
}

export function show(view, done) {
  document.title = "Sign in · Moorage";
  const place = h("div", why && problem({ message: why }));
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
      h(
        "form",
        { novalidate: "", onsubmit: send },
        h("label", { for: "token" }, "API token"),
        input,
        h("p.help", { id: "token-help" }, "It stays in this tab, and is forgotten with it."),
        place,
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
