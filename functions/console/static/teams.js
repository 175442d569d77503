// The teams of an organization, and the people and robots in them.

import {
  actions, ask, box, button, call, fill, filters, get, h, hasPeople, hint, isAdmin, orHidden, p, path, peopleOf, prompt, removal,
  table
} from "./kit.js";
import { robots } from "./robots.js";

export async function teams(content, { name }) {
  const again = () => teams(content, { name }),
    may = isAdmin(name);
  const organization = await get(path`organization/${name}`),
    all = Object.values(organization.teams ?? {});
  const where = (team) => path`organization/${name}/team/${team}`;
  const member = (team, who) => `${where(team.name)}/members/${encodeURIComponent(who)}`;
  const looks = await Promise.all(all.map((team) => get(`${where(team.name)}/members`).catch(orHidden({}))));
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
  const robot = { label: "Robot", kind: "picker", options: () => robots(name) },
    person = { label: "Name", kind: "suggested", find: peopleOf(name) };
  /** A button that adds one to a team. */
  const adding = (text, field, team) =>
    button(
      text,
      async () => {
        const task = ({ who }) => call("PUT", member(team, who));
        const fields = [{ ...field, name: "who", required: true, also: /user|member/ }];
        if (await prompt(`Add to ${team.name}`, fields, { verb: "Add", task })) await again();
      },
      { class: "small", label: `${text} to ${team.name}` }
    );
  const remove = async (team, lost) => {
    const done = await ask({
      title: `Delete the team ${team.name}?`,
      text: "Its members lose its roles:",
      lost: lost.map((it) => it.name),
      remove: where(team.name)
    });
    if (done) await again();
  };
  const follow = async (team) => {
    const done = await prompt(
      `Whom ${team.name} has`,
      [{ name: "group_name", label: "Group", required: true, help: "As the provider names it. Whoever is in it is in the team." }],
      {
        verb: "Follow",
        content: p("People can no longer be added by hand then; robots can."),
        task: (body) => call("POST", `${where(team.name)}/syncing`, { body })
      }
    );
    if (done) await again();
  };
  const unfollow = async (team, group) => {
    const done = await ask({
      title: `Stop following ${group}?`,
      verb: "Stop",
      text: `Who is in ${team.name} by the group alone is in it no more.`,
      remove: `${where(team.name)}/syncing`
    });
    if (done) await again();
  };
  fill(
    content,
    may && filters(button("Create or change a team", create, "main")),
    all.map((team, index) => {
      const { members, synced, can_sync: canSync } = looks[index],
        group = synced?.config?.group_name ?? "of the provider",
        isSynced = Boolean(synced || team.is_synced);
      const follows =
        canSync && may && (isSynced ? ["Stop following", () => unfollow(team, group)] : ["Follow a group…", () => follow(team)]);
      return box(
        team.name,
        p(`${team.description || "No description"}. Role: ${team.role}.`),
        isSynced && p("Its people are those of the group ", h("b", group), ", as of their last sign-in."),
        members
          ? table(
              `Members of ${team.name}`,
              [
                ["Member", (it) => it.name],
                hasPeople() && ["Kind", (it) => (it.is_robot ? "Robot" : "Person")],
                may && [
                  "",
                  (it) =>
                    (it.is_robot || !isSynced) &&
                    removal(it.name, `What ${team.name} may is lost.`, member(team, it.name), again)
                ]
              ],
              members,
              "There is nobody in it."
            )
          : hint("Its members are shown to administrators."),
        may &&
          actions(
            adding("Add a robot", robot, team),
            hasPeople() && !isSynced && adding("Add a person", person, team),
            follows && button(follows[0], follows[1], { class: "small", label: `${follows[0]} by ${team.name}` }),
            button("Delete", () => remove(team, members), { class: "small danger", label: `Delete ${team.name}` })
          )
      );
    })
  );
}
