// All organizations that the token may see.

import { call } from "./api.js";
import { prompt } from "./dialog.js";
import { h, fill } from "./element.js";
import { button, heading, link, table } from "./parts.js";
import { toOrganization } from "./route.js";
import { go } from "./screen.js";
import { isSuperuser, organizations } from "./session.js";

export function show(view) {
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
      if (made) go(toOrganization(made));
    },
    "main"
  );
  create.hidden = !isSuperuser();
  fill(
    view,
    heading("Organizations", create),
    table(
      "Organizations",
      [
        ["Organization", (it) => link(toOrganization(it.name), h("strong", it.name))],
        ["Your role", (it) => (it.is_org_admin ? "Administrator" : "Reader")],
        [
          "",
          (it) => [
            link(toOrganization(it.name, "robots"), "Robots"),
            it.is_org_admin && [
              " · ",
              link(toOrganization(it.name, "mirroring"), "Mirroring"),
              " · ",
              link(toOrganization(it.name, "logs"), "Logs")
            ]
          ]
        ]
      ],
      organizations(),
      "There are no organizations yet."
    )
  );
}
