// Who is signed in, and the tokens with which their clients pull.

import {
  box, call, copy, facts, fill, get, h, heading, hint, isSuperuser, link, making, organizations, p, path, person,
  removal, show as showDialog, table, time, toOrganization
} from "./kit.js";

export async function show(view) {
  const name = person(),
    list = h();
  const create = making(
    "Create an app token",
    [
      { name: "title", label: "What it is for", required: true, placeholder: "my laptop" },
      { name: "expires", label: "Expires", kind: "datetime", help: "Empty: when it is revoked." }
    ],
    ({ title, expires }) => call("POST", "user/apptoken", { body: { title, expires: expires ?? undefined } }),
    async ({ token }) => {
      await showDialog(
        "The app token",
        p("It is shown this once:"),
        copy(token.token_code, "the token"),
        p("It is the password here:"),
        copy(`docker login -u ${name} ${location.host}`, "the command")
      );
      await load();
    },
    p("It pulls what you may pull.")
  );
  fill(
    view,
    heading(name),
    box(
      "About",
      facts(
        ["May do", isSuperuser() ? "Everything" : "What their teams and repositories say"],
        [
          "Organizations",
          organizations().map((it, index) => [index > 0 && ", ", link(toOrganization(it.name), it.name)])
        ]
      )
    ),
    box(
      "App tokens",
      hint("Docker, podman and others log in with one, as a browser does with the company's provider."),
      list,
      create
    )
  );
  await load();

  async function load() {
    const { tokens } = await get("user/apptoken");
    fill(
      list,
      table(
        "App tokens",
        [
          ["For", (it) => h("strong", it.title)],
          ["Created", (it) => time(it.created)],
          ["Expires", (it) => time(it.expiration, { none: "never" })],
          [
            "",
            (it) =>
              removal(it.title, "It stops working within half a minute.", path`user/apptoken/${it.uuid}`, load, "Revoke", [
                `The app token for ${it.title}`
              ])
          ]
        ],
        tokens
      )
    );
  }
}
