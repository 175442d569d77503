// Tokens of the API: made, and revoked.

import {
  administered, call, copy, fill, h, heading, hint, isSuperuser, making, p, pages, path, person, removal,
  show as showDialog, table, time
} from "./kit.js";

/** For how many days a token is good at most that a person makes, as the API has it. */
const DAYS = 90;

export async function show(view) {
  const list = h();
  const names = administered();
  const create = making(
    "Create a token",
    [
      { name: "description", label: "What it is for", required: true },
      {
        name: "role",
        label: "Role",
        kind: "select",
        options: [
          ["read", "read: repositories and tags"],
          ["write", "write: also descriptions and tags"],
          ["admin", "admin: everything"]
        ]
      },
      {
        name: "namespace",
        label: "Namespace",
        kind: "select",
        options: isSuperuser() && !person() ? [["", "All"], ...names] : names,
        help: "It sees this namespace alone."
      },
      {
        name: "expires",
        label: "Expires",
        kind: "datetime",
        help: person() ? `In ${DAYS} days at the latest. Empty: then.` : "Empty: when it is revoked."
      }
    ],
    ({ description, role, namespace, expires }) =>
      call("POST", "tokens", { body: { description, role, namespace: namespace || null, expires } }),
    async (made) => {
      await showDialog("The token", p("It is shown this once:"), copy(made.token, "the token"));
      await load();
    },
    p(
      person()
        ? "It does not end with your sign-in. It keeps its role until it ends, is revoked, or you are disabled."
        : "It may do no more than yours, and ends with it."
    )
  );
  fill(
    view,
    heading("Tokens", create),
    hint("Who has one can call the API, sign in, and pull as $oauthtoken."),
    list
  );
  await load();

  async function load() {
    fill(
      list,
      table(
        "Tokens",
        [
          ["For", (it) => h("strong", it.description || "–")],
          ["Role", (it) => it.role],
          ["Namespace", (it) => it.namespace ?? "all"],
          ["Created", (it) => time(it.created)],
          ["Expires", (it) => time(it.expires, { none: "never" })],
          [
            "",
            (it) =>
              removal(
                it.description || it.id,
                "It and all tokens that it has made stop working within half a minute.",
                path`tokens/${it.id}`,
                load,
                "Revoke",
                [`The ${it.role} token for ${it.namespace ?? "all namespaces"}`]
              )
          ]
        ],
        await pages("tokens", { limit: 100 }, "tokens"),
        "There are none but the first one, which is the deployment's secret."
      )
    );
  }
}
