// The mirror of a whole namespace: where it and its repositories stand, and its settings.

import { call, get, orNull, path } from "./api.js";
import { ask } from "./dialog.js";
import { fill, h, p, say } from "./element.js";
import { form } from "./form.js";
import { changes, credentialFields, filledIn, policyFields, scheduleFields, toBody, toForm } from "./mirror-fields.js";
import { createRobot, robots } from "./robot.js";
import { actions, box, button, doing, hint, outdated, problem, state, table, time } from "./parts.js";
import { toOrganization, toRepository } from "./route.js";
import { every } from "./screen.js";
import { standing } from "./standing.js";
import { WORDS, count, isBusy } from "./text.js";

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
  const where = path`organization/${name}/mirror`;
  const find = () => get(where).catch(orNull);
  const top = h("div"),
    list = h("div"),
    settings = h("div"),
    stale = h("div");
  const status = standing(where, { changed: refresh });
  let mirror = await find(),
    shape,
    filter = query.status ?? "",
    page = 1;
  fill(content, stale, top, list, settings);
  edit();
  if (mirror) await every(5000, refresh, outdated(stale));

  async function refresh() {
    const fresh = await find();
    if (!fresh) return 5000;
    if (!shape.isDirty() && JSON.stringify(body(fresh)) !== JSON.stringify(body(mirror))) {
      mirror = fresh;
      edit();
    }
    mirror = fresh;
    status.update({ ...fresh, external_reference: `${fresh.external_registry_url}/${fresh.external_namespace}` });
    if (!status.element.isConnected) fill(top, status.element);
    await drawList();
    return isBusy(fresh) ? 1500 : 5000;
  }

  async function drawList() {
    const found = await get(`${where}/repositories`, { status: filter, page, limit: 100 });
    const key = JSON.stringify([found, mirror.repo_sync_status_counts, mirror.status_message, filter]);
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    const choose = (status) => {
      filter = filter === status ? "" : status;
      page = 1;
      location.hash = toOrganization(name, "mirroring", { status: filter });
    };
    const turn = (by) => () => {
      page += by;
      drawList();
    };
    fill(
      list,
      box(
        "Repositories",
        mirror.status_message && problem({ message: mirror.status_message }),
        h(
          "div",
          { class: "tiles" },
          Object.entries(mirror.repo_sync_status_counts)
            .filter(([status, number]) => number || status === filter)
            .map(([status, number]) =>
              button([h("b", {}, number), " ", state(status)], () => choose(status), {
                "aria-pressed": String(status === filter)
              })
            )
        ),
        table(
          "Repositories of the mirror",
          [
            ["Repository Name", (it) => it.name],
            ["Sync Status", (it) => [state(it.sync_status), it.status_message && h("small", {}, it.status_message)]],
            ["Discovery Date", (it) => time(it.discovery_date)],
            ["Last Sync", (it) => time(it.last_sync_date)],
            [
              "Repository here",
              (it) =>
                it.quay_repository &&
                h("a", { href: toRepository(it.quay_repository, "mirroring") }, it.quay_repository)
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

  function edit() {
    const exists = Boolean(mirror),
      said = h("div", { role: "status" });
    shape = form(
      fields(exists, name),
      mirror ? toForm(mirror) : { ...toForm(null), skopeo_timeout: 300, external_registry_type: "distribution" },
      { verb: exists ? "Update" : "Enable", label: "Organization mirror", task: save }
    );
    fill(
      settings,
      box(
        exists ? "Settings" : "Mirror a whole namespace",
        !exists && p("An organization without repositories can mirror a namespace of another registry."),
        said,
        shape.element,
        exists &&
          actions(
            button("Verify connection", (event) =>
              doing(event.currentTarget, said, async () => {
                const { success, message } = await call("POST", `${where}/verify`);
                fill(said, success ? p(message) : problem({ message }));
                say(message);
              })
            ),
            button(
              "Delete the mirror",
              async () => {
                if (
                  await ask({
                    title: `End the mirror of ${name}?`,
                    text: "Its repositories stay, as ordinary ones.",
                    lost: ["The settings and the schedule", "The stored password"],
                    typed: name,
                    remove: where
                  })
                ) {
                  mirror = null;
                  fill(top);
                  fill(list);
                  edit();
                }
              },
              "danger"
            )
          )
      )
    );
  }

  async function save(filled) {
    if (!mirror) {
      await call("POST", where, { body: filledIn(body({}, filled)) });
      mirror = await find();
      edit();
      return void every(5000, refresh);
    }
    await call("PUT", where, { body: changes(body(mirror), body(mirror, filled)) });
    mirror = await find();
    edit();
    say("Saved");
    return undefined;
  }
}

/** What the API takes, of a mirror or of the form. */
function body(mirror, filled) {
  const shown = { ...toForm(mirror), ...filled };
  const all = toBody({ ...shown, root_rule: undefined }, mirror.external_registry_config);
  const names = fields(true)
    .map((field) => field.name)
    .concat("external_registry_config", mirror.sync_status ? [] : "external_registry_type");
  return Object.fromEntries(names.filter((key) => key && all[key] !== undefined).map((key) => [key, all[key]]));
}
