// The teams of an organization, and the robots in them.

import {
  actions, ask, box, button, call, fill, filters, get, isAdmin, p, path, prompt, removal, table
} from "./kit.js";
import { robots } from "./robots.js";

export async function teams(content, { name }) {
  const again = () => teams(content, { name }),
    may = isAdmin(name);
  const organization = await get(path`organization/${name}`),
    all = Object.values(organization.teams ?? {});
  const where = (team) => path`organization/${name}/team/${team}`;
  const member = (team, robot) => `${where(team.name)}/members/${encodeURIComponent(robot)}`;
  const members = await Promise.all(all.map((team) => get(`${where(team.name)}/members`).then((it) => it.members)));
  const fields = [
    {
      name: "role",
      label: "Role",
      kind: "select",
      options: ["member", "creator", "admin"],
      help: "Members have the team's roles on repositories; admins have every one."
    },
    { name: "description", label: "Description" }
  ];
  const create = async () => {
    const name = { name: "name", label: "Name", required: true };
    const done = await prompt("Create or change a team", [name, ...fields], {
      verb: "Save",
      task: ({ name: team, ...body }) => call("PUT", where(team), { body })
    });
    if (done) await again();
  };
  const add = async (team) => {
    const robot = { name: "robot", label: "Robot", kind: "picker", required: true, options: () => robots(name) };
    const task = (filled) => call("PUT", member(team, filled.robot));
    if (await prompt(`Add to ${team.name}`, [robot], { verb: "Add", task })) await again();
  };
  const remove = async (team, lost) => {
    const done = await ask({
      title: `Delete the team ${team.name}?`,
      text: "Its members lose its roles:",
      lost: lost.map((it) => it.name),
      remove: where(team.name)
    });
    if (done) await again();
  };
  fill(
    content,
    may && filters(button("Create or change a team", create, "main")),
    all.map((team, index) =>
      box(
        team.name,
        p(`${team.description || "No description"}. Role: ${team.role}.`),
        table(
          `Members of ${team.name}`,
          [
            ["Member", (it) => it.name],
            may && [
              "",
              (it) => removal(it.name, `It loses what ${team.name} may.`, member(team, it.name), again)
            ]
          ],
          members[index],
          "There is nobody in it."
        ),
        may &&
          actions(
            button("Add a robot", () => add(team), "small"),
            button("Delete", () => remove(team, members[index]), "small danger")
          )
      )
    )
  );
}
