// Organizations; and one of them: its repositories, teams, robots, mirror, log and settings.

import {
  ask, box, button, call, fill, filters, go, h, heading, isAdmin, isSuperuser, link, making, mayCreate,
  organizations, organizationTabs, p, pages, path, person, placeIn, STATES, tabbed, table, time, toOrganization, toRepository, toScreen
} from "./kit.js";
import * as logs from "./logs.js";
import * as mirroring from "./organization-mirror.js";
import * as notifications from "./notifications.js";
import * as robots from "./robots.js";
import { teams } from "./teams.js";

const TABS = {
  repositories,
  teams,
  robots: robots.list,
  notifications: notifications.show,
  mirroring: mirroring.show,
  logs: logs.ofOrganization,
  settings
};

export async function show(view, route) {
  const { name, tab } = route,
    above = link(toScreen("organizations"), "Organizations");
  const [content, draw] = tabbed(view, "Organization", above, name, route, toOrganization, name);
  return draw(organizationTabs(isAdmin(name), placeIn(name))) && TABS[tab](content, route);
}

async function repositories(content, { name }) {
  const found = await pages("repository", { namespace: name, last_modified: true }, "repositories");
  const create = making(
    "Create a repository",
    [
      { name: "repository", label: "Name", required: true, help: `It is pulled as ${location.host}/${name}/NAME.` },
      { name: "visibility", label: "Visibility", kind: "select", options: ["private", "public"] },
      { name: "description", label: "Description" }
    ],
    async (body) => {
      await call("POST", "repository", { body: { ...body, namespace: name } });
      return body.repository;
    },
    (made) => go(toRepository(`${name}/${made}`, "mirroring"))
  );
  fill(
    content,
    mayCreate(name) && filters(create),
    table(
      "Repositories",
      [
        ["Repository", (it) => link(toRepository(`${name}/${it.name}`), h("strong", it.name))],
        ["State", (it) => STATES[it.state] ?? it.state],
        ["Visibility", (it) => (it.is_public ? "Public" : "Private")],
        ["Tags changed", (it) => time(it.last_modified)],
        ["Description", (it) => it.description]
      ],
      found,
      "There are no repositories yet."
    )
  );
}

function settings(content, { name }) {
  fill(
    content,
    box(
      "Delete",
      p("With its repositories, robots, teams and tokens."),
      button(
        "Delete this organization",
        async () => {
          const all = await pages("repository", { namespace: name }, "repositories");
          const done = await ask({
            title: `Delete ${name}?`,
            text: "Its robots, teams and tokens are lost, and these repositories:",
            lost: all.length ? all.map((it) => `${name}/${it.name}`) : ["(it has no repositories)"],
            typed: name,
            remove: path`organization/${name}`
          });
          if (done) go(toScreen("organizations"));
        },
        "danger"
      )
    )
  );
}

const ROLES = { admin: "Administrator", write: "Writer", read: "Reader" };

/** All organizations that the token may see. */
export function list(view) {
  const create = making(
    "Create an organization",
    [
      {
        name: "name",
        label: "Name",
        required: true,
        help: "Lower case letters, digits and dashes: the first part of its repositories' names."
      }
    ],
    async (body) => {
      await call("POST", "organization/", { body });
      return body.name;
    },
    (made) => go(toOrganization(made))
  );
  create.hidden = !isSuperuser();
  fill(
    view,
    heading("Organizations", create),
    table(
      "Organizations",
      [
        ["Organization", (it) => link(toOrganization(it.name), h("strong", it.name))],
        ["Your role", (it) => ROLES[it.role] ?? "Member"]
      ],
      organizations(),
      person() ? "You are in none. What you may see is under Mirrors." : "There are no organizations yet."
    )
  );
}
