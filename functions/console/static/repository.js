// A repository: its tabs, what it is, and its settings.

import {
  acting, actions, ask, box, button, call, facts, fill, form, get, go, h, hint, isAdmin, link, mayWrite, orHidden, p, path,
  prompt, quiet, repositoryTabs, say, STATES, tabbed, toOrganization, toRepository
} from "./kit.js";
import * as history from "./tag-history.js";
import * as logs from "./logs.js";
import * as mirroring from "./mirroring.js";
import { notifications } from "./notifications.js";
import * as tags from "./tags.js";
import { pulls } from "./pull.js";
import { permissions } from "./permissions.js";

const TABS = {
  information,
  tags: tags.show,
  history: history.show,
  logs: logs.ofRepository,
  mirroring: mirroring.show,
  settings
};

export async function show(view, route) {
  const { name, tab } = route;
  const slash = name.indexOf("/"),
    namespace = name.slice(0, slash);
  const above = link(toOrganization(namespace), namespace),
    title = name.slice(slash + 1);
  const [content, draw] = tabbed(view, "Repository", above, title, route, toRepository, namespace);
  const may = draw(repositoryTabs(isAdmin(namespace)));
  fill(content, hint("Loading…"));
  const repository = await get(path`repository/${name}`, { includeTags: false })
    .finally(() => fill(content))
    .catch((error) => (may ? Promise.reject(error) : orHidden({})(error)));
  // A person may be an administrator of this one alone.
  if (draw(repositoryTabs(repository.can_admin))) await TABS[tab](content, { ...route, namespace, repository });
}

function information(content, { name, repository }) {
  const described = () => repository.description || quiet("There is no description.");
  const text = p(described());
  const edit =
    // Of a mirror, too, whose tags cannot be written.
    (mayWrite(name.split("/")[0]) || repository.can_write || repository.can_admin) &&
    button("Edit the description", async () => {
      const done = await prompt("Description", [{ name: "description", label: "Description", kind: "area" }], {
        verb: "Save",
        values: repository,
        task: (filled) => call("PUT", path`repository/${name}`, { body: filled }).then(() => filled)
      });
      if (!done) return;
      repository.description = done.description;
      fill(text, described());
    });
  fill(
    content,
    box(
      "About",
      facts(
        ["State", STATES[repository.state]],
        ["Visibility", repository.is_public ? "Public" : "Private"]
      ),
      h("h3", "Description"),
      text,
      actions(edit)
    ),
    box("Pull", pulls(name, "TAG"))
  );
}

async function settings(content, { name, namespace, repository }) {
  const roles = h();
  fill(
    content,
    box("Permissions", h("p.help", "What people, robots and teams may do. The API's tokens have their own roles."), roles),
    notifications(path`repository/${name}/notification`, namespace),
    visibility(name, repository),
    stateBox(name, repository),
    destroy(name, namespace)
  );
  await permissions(roles, name, namespace);
}

function visibility(name, repository) {
  const to = repository.is_public ? "private" : "public";
  const act = button(`Make ${to}`, async () => {
    const done = await ask({
      title: `Make ${name} ${to}?`,
      verb: `Make ${to}`,
      text:
        to === "public"
          ? "Everybody who can reach this registry may pull from it, without a login."
          : "Only robots and tokens with a role may pull from it then.",
      task: () => call("POST", path`repository/${name}/changevisibility`, { body: { visibility: to } })
    });
    if (!done) return;
    repository.is_public = to === "public";
    element.replaceWith(visibility(name, repository));
  });
  const is = repository.is_public ? "public" : "private";
  const element = box("Visibility", p(`This repository is ${is}.`), actions(act));
  return element;
}

function stateBox(name, repository) {
  if (repository.state === "ORG_MIRROR") return box("State", p("The organization's mirror keeps this repository."));
  const place = h("div", { role: "status" });
  const shape = form(
    [
      {
        name: "state",
        label: "Repository state",
        kind: "select",
        options: ["NORMAL", "READ_ONLY", "MIRROR"].map((it) => [it, STATES[it]]),
        help: "Ordinary: changed by hand. Mirror: by syncs. Read only: not."
      }
    ],
    repository,
    {
      verb: "Change the state",
      task: async (body, it) => {
        await call("PUT", path`repository/${name}/changestate`, { body });
        it.keep();
        say("The state was changed");
        fill(place, p(`It is now: ${STATES[body.state]}.`));
      }
    }
  );
  return box("State", shape.element, place);
}

function destroy(name, namespace) {
  const act = async () => {
    const names = Object.keys((await get(path`repository/${name}`, { includeTags: true })).tags).sort();
    const done = await ask({
      title: `Delete ${name}?`,
      text: "It cannot be pulled from any more. All its tags are lost:",
      lost: names,
      typed: name,
      remove: path`repository/${name}`
    });
    if (done) go(toOrganization(namespace));
  };
  const said = h();
  return box(
    "Delete",
    p("With its mirror, its tags and their history."),
    said,
    actions(acting("Delete this repository", said, act, "danger"))
  );
}
