// The teams of an organization, and the robots in them.

import { call, get, path } from "./api.js";
import { ask, prompt } from "./dialog.js";
import { fill, h, p } from "./element.js";
import { box, button, filters, table } from "./parts.js";
import { robots } from "./robot.js";

export async function teams(content, { name }) {
  const again = () => teams(content, { name });
  const organization = await get(path`organization/${name}`),
    all = Object.values(organization.teams ?? {});
  const where = (team) => path`organization/${name}/team/${team}`;
  const members = await Promise.all(all.map((team) => get(`${where(team.name)}/members`).then((it) => it.members)));
  const fields = [
    {
      name: "role",
      label: "Role",
      kind: "select",
      options: ["member", "creator", "admin"],
      help: "Members have the roles that the team has on repositories; admins have every one."
    },
    { name: "description", label: "Description" }
  ];
  fill(
    content,
    filters(
      button(
        "Create or change a team",
        async () => {
          if (
            await prompt("Create or change a team", [{ name: "name", label: "Name", required: true }, ...fields], {
              verb: "Save",
              task: ({ name: team, ...body }) => call("PUT", where(team), { body })
            })
          )
            await again();
        },
        "main"
      )
    ),
    all.map((team, index) =>
      box(
        team.name,
        p(`${team.description || "No description"}. Role: ${team.role}.`),
        table(
          `Members of ${team.name}`,
          [
            ["Member", (it) => it.name],
            [
              "",
              (it) =>
                button(
                  "Remove",
                  async () => {
                    if (
                      await ask({
                        title: `Remove ${it.name}?`,
                        text: `It loses what ${team.name} may.`,
                        verb: "Remove",
                        remove: `${where(team.name)}/members/${encodeURIComponent(it.name)}`
                      })
                    )
                      await again();
                  },
                  { class: "small", label: `Remove ${it.name}` }
                )
            ]
          ],
          members[index],
          "There is nobody in it."
        ),
        h(
          "div",
          { class: "actions" },
          button(
            "Add a robot",
            async () => {
              if (
                await prompt(
                  `Add to ${team.name}`,
                  [{ name: "robot", label: "Robot", kind: "picker", required: true, options: () => robots(name) }],
                  {
                    verb: "Add",
                    task: ({ robot }) => call("PUT", `${where(team.name)}/members/${encodeURIComponent(robot)}`)
                  }
                )
              )
                await again();
            },
            "small"
          ),
          button(
            "Delete",
            async () => {
              if (
                await ask({
                  title: `Delete the team ${team.name}?`,
                  text: "Its members lose its roles:",
                  lost: members[index].map((it) => it.name),
                  remove: where(team.name)
                })
              )
                await again();
            },
            "small danger"
          )
        )
      )
    )
  );
}
