// What people, robots and teams may do with a repository.

import {
  actions, button, call, doing, fill, get, h, hasPeople, orHidden, orNull, path, peopleOf, prompt, removal, say, table
} from "./kit.js";
import { another, robots } from "./robots.js";

const ROLES = ["read", "write", "admin"];

export async function permissions(place, name, namespace) {
  const [users, teams] = await Promise.all([
    get(path`repository/${name}/permissions/user/`),
    get(path`repository/${name}/permissions/team/`)
  ]);
  const rows = [
    ...Object.values(users.permissions).map((it) => ({ ...it, kind: "user" })),
    ...Object.values(teams.permissions).map((it) => ({ ...it, kind: "team" }))
  ];
  const where = (row) => path`repository/${name}/permissions/${row.kind}/${row.name}`;
  const again = () => permissions(place, name, namespace);
  const said = h();
  fill(
    place,
    table(
      "Permissions",
      [
        ["Account", (row) => row.name],
        ["Kind", (row) => (row.kind === "team" ? "Team" : row.is_robot ? "Robot" : "Person")],
        [
          "Role",
          (row) =>
            h(
              "select",
              {
                label: `Role of ${row.name}`,
                onchange: (event) =>
                  doing(event.target, said, async () => {
                    await call("PUT", where(row), { body: { role: event.target.value } });
                    say(`${row.name} may ${event.target.value}`);
                  })
              },
              ROLES.map((role) => h("option", { value: role, selected: role === row.role }, role))
            )
        ],
        ["", (row) => removal(row.name, `It can no longer use ${name} by this role.`, where(row), again)]
      ],
      rows,
      "Nobody has a role here."
    ),
    said,
    actions(button("Add a permission…", add))
  );

  async function add() {
    const kinds = { robot: "A robot", team: "A team", ...(hasPeople() && { user: "A person" }) },
      who = [
        { name: "robot", label: "Robot", kind: "picker", options: () => robots(namespace), ...another(namespace) },
        { name: "team", label: "Team", kind: "picker", options: () => teamsOf(namespace) },
        { name: "user", label: "Name", kind: "suggested", find: peopleOf(namespace) }
      ];
    const made = await prompt(
      "Add a permission",
      [
        { name: "kind", label: "Who", kind: "select", options: Object.entries(kinds) },
        ...who,
        { name: "role", label: "Role", kind: "select", options: ROLES }
      ],
      {
        verb: "Add",
        changed({ kind, ...filled }, { controls }) {
          for (const it of who) controls.get(it.name).element.hidden = it.name !== kind;
          return Boolean(filled[kind]);
        },
        task: ({ kind, role, ...filled }) =>
          call("PUT", where({ kind: kind === "team" ? kind : "user", name: filled[kind] }), { body: { role } })
      }
    );
    if (made) again();
  }
}

/** Names of teams; none of who may not see them, nor of the deployment's own namespace, which is no organization. */
const teamsOf = async (namespace) =>
  Object.keys((await get(path`organization/${namespace}`).catch(orNull).catch(orHidden(null)))?.teams ?? {});
