// All organizations that the token may see.

import { call } from "./api.js";
import { prompt } from "./dialog.js";
import { h, fill } from "./element.js";
import { button, heading, table } from "./parts.js";
import { toOrganization } from "./route.js";
import { forget, me } from "./session.js";

export async function show(view) {
  const list = h("div");
  const create = button(
    "Create an organization",
    async () => {
      const made = await prompt(
        "Create an organization",
        [
          {
            name: "name",
            label: "Name",
            required: true,
            help: "Lower case letters, digits and dashes: the first part of its repositories' names."
          }
        ],
        {
          task: async (body) => {
            await call("POST", "organization/", { body });
            return body.name;
          }
        }
      );
      if (made) {
        forget();
        location.hash = toOrganization(made);
      }
    },
    "main"
  );
  fill(view, heading("Organizations", create), list);
  const user = await me();
  create.hidden = !user.super_user;
  fill(
    list,
    table(
      "Organizations",
      [
        ["Organization", (it) => h("a", { href: toOrganization(it.name) }, h("strong", {}, it.name))],
        ["Your role", (it) => (it.is_org_admin ? "Administrator" : "Reader")],
        [
          "",
          (it) => [
            h("a", { href: toOrganization(it.name, "robots") }, "Robots"),
            " · ",
            h("a", { href: toOrganization(it.name, "mirroring") }, "Mirroring"),
            " · ",
            h("a", { href: toOrganization(it.name, "logs") }, "Logs")
          ]
        ]
      ],
      user.organizations,
      "There are no organizations yet."
    )
  );
}
