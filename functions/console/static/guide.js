// The first mirror, or another one, on one page: organization, robot, repository, mirror, first sync, pull command.

import { besideCloud, CLOUD } from "./clouds.js";
import { drawn } from "./gate-form.js";
import {
  administered, call, changes, every, fill, filledIn, form, get, h, heading, hint, INTERVAL, isSuperuser, link, NEW,
  orNull, p, PASSWORD, path, problem, quiet, say, sourceFields, state, TLS, tlsFields, toBody, toForm, toRepository, USERNAME
} from "./kit.js";
import { robots } from "./robots.js";
import { pulls } from "./pull.js";
import { runView } from "./run.js";

const POLL = 1000;

/** The fields that are the mirror's own. */
const MIRROR = [...sourceFields, CLOUD, USERNAME, PASSWORD, TLS, ...tlsFields(), INTERVAL];

/** What a repository is called here if nobody says otherwise: as it is there. */
const nameFrom = (reference) => reference.split("/").filter(Boolean).slice(1).pop()?.split(/[:@]/)[0].toLowerCase() ?? "";

export async function show(view) {
  const steps = h("ol.steps", { "aria-live": "polite" }),
    after = h();
  const shown = h();
  fill(view, heading("New mirror"), p("Say what to mirror. The rest can be changed later."), shown);
  const known = administered();
  const choices = isSuperuser() ? [...known, [NEW, "A new one…"]] : known;
  let suggested = "";
  const fields = [
    { group: "1. What is mirrored" },
    ...sourceFields,
    CLOUD,
    USERNAME,
    PASSWORD,
    TLS,
    { group: "TLS of its own", more: true },
    ...tlsFields(),
    { group: "2. Where it is kept" },
    { name: "organization", label: "Organization", kind: "select", options: choices },
    {
      name: "organization_name",
      label: "Name of a new organization",
      placeholder: "acme",
      pattern: /^[a-z\d][a-z\d._-]*$/,
      help: "Lower case letters, digits and dashes."
    },
    {
      name: "repository",
      label: "Repository",
      required: true,
      pattern: /^[a-z\d][a-z\d._-]*(\/[a-z\d][a-z\d._-]*)*$/,
      help: "Lower case letters, digits, dashes and slashes."
    },
    {
      name: "visibility",
      label: "Visibility",
      kind: "select",
      options: [
        ["private", "Private: robots and tokens pull"],
        ["public", "Public: everybody pulls"]
      ]
    },
    { group: "3. When it is synced" },
    INTERVAL,
    {
      name: "robot",
      label: "Robot",
      required: true,
      pattern: /^(?=..)[a-z\d]+([._-][a-z\d]+)*$/,
      help: "Writes the mirror, and may pull it. In lower case; it is made if there is none."
    }
  ];
  const shape = form(
    drawn(fields),
    { ...toForm(), root_rule: ["latest"], robot: "mirror", organization: known[0] ?? NEW },
    { verb: "Create and sync", label: "New mirror", task: create, changed }
  );
  fill(
    shown,
    h(
      "div.split",
      h("section.box", shape.element),
      h(
        "section.box.aside",
        { label: "Progress" },
        h("h2", "What happens"),
        hint("What is missing is created and synced; then you see how to pull."),
        steps,
        after
      )
    )
  );

  function changed(filled, form) {
    const isNew = filled.organization === NEW,
      repository = form.controls.get("repository"),
      wanted = nameFrom(filled.external_reference);
    form.controls.get("organization_name").element.hidden = !isNew;
    besideCloud(filled, form);
    if (wanted && filled.repository === suggested && wanted !== suggested) repository.set((suggested = wanted));
    return !isNew || Boolean(filled.organization_name);
  }

  /** The mirrors that this form has created: only these it changes. */
  const made = new Set();

  async function create(filled) {
    const isNew = filled.organization === NEW,
      organization = isNew ? filled.organization_name : filled.organization,
      name = `${organization}/${filled.repository}`,
      where = path`repository/${name}/mirror`,
      robot_username = `${organization}+${filled.robot}`;
    const exists = (where) => get(where).catch(orNull);
    const shown = Object.fromEntries(MIRROR.map((field) => [field.name, filled[field.name]]));
    fill(steps);
    fill(after);
    let there, mirror;
    // What is refused is refused before anything is made.
    await step("Settings", null, async () => {
      there = await exists(where);
      // Somebody else's settings, and with them its tags, would be gone.
      if (there && !made.has(name))
        throw Object.assign(
          new Error(`${name} is a mirror already: choose another name.`),
          { field: "repository" }
        );
      const config = there?.external_registry_config,
        wanted = toBody({ ...toForm(there), ...shown, robot_username }, config);
      mirror = there ? changes(toBody(toForm(there), config), wanted) : filledIn(wanted);
      // That there is no such repository or robot yet is no reason.
      const body = { ...mirror, robot_username: undefined };
      await call("POST", `${where}/preview`, { body }).catch((error) => {
        if (error.status === 400) throw error;
      });
      return "checked";
    });
    await step(`Organization ${organization}`, isNew ? "organization_name" : "organization", async () => {
      if (await exists(path`organization/${organization}`)) return "was there";
      await call("POST", "organization/", { body: { name: organization } });
      return "created";
    });
    await step(`Robot ${robot_username}`, "robot", async () => {
      if ((await robots(organization)).includes(robot_username)) return "was there";
      await call("PUT", path`organization/${organization}/robots/${filled.robot}`, {
        body: { description: "Writes mirrors" }
      });
      return "created";
    });
    await step(`Repository ${name}`, "repository", async () => {
      if (await exists(path`repository/${name}`)) return "was there";
      await call("POST", "repository", {
        body: { namespace: organization, repository: filled.repository, visibility: filled.visibility, description: "" }
      });
      return "created";
    });
    await step("Mirror", null, async () => {
      if (!Object.keys(mirror).length) return "was there";
      await call(there ? "PUT" : "POST", where, { body: mirror });
      made.add(name);
      return there ? "changed" : "created";
    });
    shape.keep();
    const before = await latestRun(name);
    await step("First sync", null, async () => {
      await call("POST", `${where}/sync-now`);
      return "started";
    });
    await follow(name, robot_username, before?.run_id);
  }

  /** One step, with a mark when it is done; what fails stays, by its field, and the same button goes on from there. */
  async function step(text, field, task) {
    const said = quiet("…"),
      item = h("li", h("strong", text), said);
    steps.append(item);
    try {
      fill(said, `✓ ${await task()}`);
    } catch (error) {
      fill(said, "✗ failed");
      throw Object.assign(error, { field: error.field ?? field });
    }
  }

  const latestRun = async (name) => (await get(path`repository/${name}/mirror/runs`, { limit: 1 })).runs[0];

  /** Shows the run that was asked for, and not the one `before`, unless that goes on. */
  async function follow(name, robot, before) {
    const run = runView(),
      line = p();
    fill(after, line, run.element);
    await every(
      POLL,
      async () => {
        const latest = await latestRun(name);
        if (!latest || (latest.run_id === before && latest.status !== "SYNCING"))
          return void fill(line, state("SYNC_NOW"));
        // It is that one, also when it ends.
        before = null;
        const full = await get(path`repository/${name}/mirror/runs/${latest.run_id}`);
        run.update(full);
        fill(line);
        if (full.status === "SYNCING") return POLL;
        const isGood = full.status === "SUCCESS";
        say(isGood ? "The first sync is done" : "The first sync failed");
        if (isGood)
          after.prepend(
            h("h3", "Pull it"),
            ...pulls(name, full.tags.find((it) => it.digest)?.tag ?? "TAG", null, robot)
          );
        after.append(
          p(h("a.button", { href: toRepository(name, "mirroring") }, "Its mirroring")),
          p(link(toRepository(name, "tags"), "Its tags"))
        );
        return false;
      },
      (error) => error && fill(line, problem(error))
    );
  }
}
