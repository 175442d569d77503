// The mirror of a whole namespace: where it and its repositories stand, and its settings.

import { call, get, orNull, path } from "./api.js";
import { ask } from "./dialog.js";
import { fill, h, p, say } from "./element.js";
import { credentialFields, policyFields, scheduleFields } from "./mirror-fields.js";
import { createRobot, robots } from "./robot.js";
import { actions, box, button, doing, hint, link, outdated, problem, shows, state, table, time } from "./parts.js";
import { toOrganization, toRepository } from "./route.js";
import { every, inOrder } from "./screen.js";
import { settings } from "./settings.js";
import { standing } from "./standing.js";
import { WORDS, count, isBusy } from "./text.js";

const BUSY = 1_500;
const IDLE = 5_000;

const fields = (exists, name) => [
  { group: "External namespace" },
  { name: "is_enabled", label: "Enabled", kind: "checkbox" },
  ...(exists
    ? []
    : [
        {
          name: "external_registry_type",
          label: "Registry type",
          kind: "select",
          options: [
            ["distribution", "Any registry with a catalog"],
            ["harbor", "Harbor"],
            ["quay", "Quay, or another Moorage"]
          ],
          help: "How the registry lists its repositories."
        }
      ]),
  { name: "external_registry_url", label: "Registry URL", required: true, placeholder: "https://registry.example.com" },
  {
    name: "external_namespace",
    label: "Namespace",
    required: true,
    placeholder: "library",
    help: "The organization or project there."
  },
  {
    name: "repository_filters",
    label: "Repository filters",
    kind: "csv",
    placeholder: "app, tools/*",
    help: "Names or patterns; none select all. All tags of a repository are mirrored."
  },
  { name: "visibility", label: "Visibility of what is created", kind: "select", options: ["private", "public"] },
  ...scheduleFields(
    exists,
    () => robots(name),
    () => createRobot(name),
    "skopeo_timeout"
  ),
  ...credentialFields(exists),
  ...policyFields()
];

export async function show(content, { name, query }) {
  const where = path`organization/${name}/mirror`,
    find = () => get(where).catch(orNull),
    answers = inOrder(),
    lists = inOrder();
  const top = h("div"),
    list = h("div"),
    stale = h("div");
  const status = standing(where, { changed: refresh });
  const editor = settings({
    where,
    find,
    answers,
    fields: (exists) => fields(exists, name),
    begins: { skopeo_timeout: 300, external_registry_type: "distribution" },
    name: "Organization mirror",
    title: "Mirror a whole namespace",
    intro: p("An organization without repositories can mirror a namespace of another registry."),
    below,
    made: refresh
  });
  let mirror = await find(),
    filter = query.status ?? "",
    page = 1,
    drawn;
  fill(content, stale, top, list, editor.element);
  editor.show(mirror);
  await every(IDLE, refresh, outdated(stale));

  async function refresh() {
    const fresh = await answers.read(find),
      before = mirror;
    mirror = fresh;
    if (!fresh !== !before) editor.show(fresh);
    if (!fresh) {
      fill(top);
      fill(list);
      drawn = null;
      return IDLE;
    }
    editor.update(fresh);
    status.update({ ...fresh, external_reference: `${fresh.external_registry_url}/${fresh.external_namespace}` });
    if (!status.element.isConnected) fill(top, status.element);
    await drawList();
    return isBusy(fresh) ? BUSY : IDLE;
  }

  async function drawList() {
    const found = await lists.read(() => get(`${where}/repositories`, { status: filter, page, limit: 100 }));
    const key = JSON.stringify([found, mirror.repo_sync_status_counts, mirror.status_message, filter]);
    if (drawn === key) return;
    drawn = key;
    // Not another screen: what is filled in below stays.
    const choose = (status) => {
      filter = filter === status ? "" : status;
      history.replaceState(null, "", toOrganization(name, "mirroring", { status: filter }));
      turn(1 - page)();
    };
    const turn = (by) => () => {
      page += by;
      drawList().catch(shows(stale));
    };
    fill(
      list,
      box(
        "Repositories",
        mirror.status_message && problem({ message: mirror.status_message }),
        h(
          "div.tiles",
          Object.entries(mirror.repo_sync_status_counts)
            .filter(([status, number]) => number || status === filter)
            .map(([status, number]) =>
              button([h("b", number), " ", state(status)], () => choose(status), {
                "aria-pressed": String(status === filter)
              })
            )
        ),
        table(
          "Repositories of the mirror",
          [
            ["Repository Name", (it) => it.name],
            ["Sync Status", (it) => [state(it.sync_status), it.status_message && h("small", it.status_message)]],
            ["Discovery Date", (it) => time(it.discovery_date)],
            ["Last Sync", (it) => time(it.last_sync_date)],
            [
              "Repository here",
              (it) =>
                it.quay_repository &&
                link(toRepository(it.quay_repository, "mirroring"), it.quay_repository)
            ]
          ],
          found.repositories,
          filter ? `None is ${WORDS[filter]?.[0] ?? filter}.` : "None was found yet. Sync Now looks for them."
        ),
        hint(count(found.total, "repository", "repositories")),
        actions(page > 1 && button("Back", turn(-1)), found.has_next && button("Next", turn(1)))
      )
    );
  }

  /** What can be done with a mirror besides. */
  function below() {
    const answer = h("div");
    const acts = actions(
      button("Verify connection", (event) =>
        doing(event.currentTarget, answer, async () => {
          const { success, message } = await call("POST", `${where}/verify`);
          fill(answer, success ? p(message) : problem({ message }));
          say(message);
        })
      ),
      button(
        "Delete the mirror",
        async () => {
          const done = await ask({
            title: `End the mirror of ${name}?`,
            text: "Its repositories stay, as ordinary ones.",
            lost: ["The settings and the schedule", "The stored password"],
            typed: name,
            task: () => answers.change(() => call("DELETE", where))
          });
          if (done) await refresh();
        },
        "danger"
      )
    );
    return [acts, answer];
  }
}
