// The first mirror, or another one, on one page: organization, robot, repository, mirror, first sync, pull command.

import { call, get, orNull, path } from "./api.js";
import { fill, h, p, say } from "./element.js";
import { form } from "./form.js";
import { INTERVAL, PASSWORD, TLS, USERNAME, filledIn, sourceFields, toBody, toForm } from "./mirror-fields.js";
import { robots } from "./robot.js";
import { box, heading, hint, problem, quiet, state } from "./parts.js";
import { pulls } from "./pull.js";
import { toOrganization, toRepository } from "./route.js";
import { runView } from "./run.js";
import { every } from "./screen.js";
import { forget, organizations } from "./session.js";

const POLL = 1000;
const NEW = "+";

/** What a repository is called here if nobody says otherwise: as it is there. */
export const nameFrom = (reference) => reference.split("/").filter(Boolean).slice(1).pop()?.toLowerCase() ?? "";

export async function show(view) {
  const steps = h("ol", { class: "steps", "aria-live": "polite" }),
    after = h("div");
  const shown = h("div");
  fill(view, heading("New mirror"), p("Say what to mirror. The rest can be changed later."), shown);
  const known = await organizations();
  let suggested = "";
  const fields = [
    { group: "1. What is mirrored" },
    ...sourceFields,
    USERNAME,
    PASSWORD,
    TLS,
    { group: "2. Where it is kept" },
    { name: "organization", label: "Organization", kind: "select", options: [...known, [NEW, "A new one…"]] },
    {
      name: "organization_name",
      label: "Name of a new organization",
      placeholder: "acme",
      help: "Lower case letters, digits and dashes."
    },
    { name: "repository", label: "Repository", required: true, help: "How it is called here." },
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
      help: "The account that writes the mirror, and may pull it. It is created if there is none of this name."
    }
  ];
  const shape = form(
    fields,
    { ...toForm(null), root_rule: ["latest"], robot: "mirror", organization: known[0] ?? NEW },
    { verb: "Create and sync", label: "New mirror", task: create, changed }
  );
  fill(
    shown,
    h(
      "div",
      { class: "split" },
      h("section", { class: "box" }, shape.element),
      h(
        "section",
        { class: "box aside", label: "Progress" },
        h("h2", {}, "What happens"),
        hint("What is not there yet is created; then the first sync runs, and you see here how to pull."),
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
    if (wanted && filled.repository === suggested && wanted !== suggested) repository.set((suggested = wanted));
    return !isNew || Boolean(filled.organization_name);
  }

  /** The mirrors that this form has created: only these it changes. */
  const made = new Set();

  async function create(filled) {
    const organization = filled.organization === NEW ? filled.organization_name : filled.organization,
      name = `${organization}/${filled.repository}`;
    const exists = (where) => get(where).catch(orNull);
    const {
      external_reference,
      root_rule,
      external_registry_username,
      external_registry_password,
      verify_tls,
      sync_interval
    } = filled;
    const mirror = filledIn(
      toBody({
        ...toForm(null),
        external_reference,
        root_rule,
        external_registry_username,
        external_registry_password,
        verify_tls,
        sync_interval,
        robot_username: `${organization}+${filled.robot}`,
        architecture_filter: [],
        token_realms: []
      })
    );
    fill(steps);
    fill(after);
    await step(`Organization ${organization}`, async () => {
      if (await exists(path`organization/${organization}`)) return "was there";
      await call("POST", "organization/", { body: { name: organization } });
      forget();
      return "created";
    });
    await step(`Robot ${organization}+${filled.robot}`, async () => {
      if ((await robots(organization)).includes(`${organization}+${filled.robot}`)) return "was there";
      await call("PUT", path`organization/${organization}/robots/${filled.robot}`, {
        body: { description: "Writes mirrors" }
      });
      return "created";
    });
    await step(`Repository ${name}`, async () => {
      if (await exists(path`repository/${name}`)) return "was there";
      await call("POST", "repository", {
        body: { namespace: organization, repository: filled.repository, visibility: filled.visibility, description: "" }
      });
      return "created";
    });
    await step("Mirror", async () => {
      const there = await exists(path`repository/${name}/mirror`);
      // Somebody else's settings, and with them its tags, would be gone.
      if (there && !made.has(name)) throw new Error(`${name} is a mirror already: change it on its own page, or choose another name.`);
      await call(there ? "PUT" : "POST", path`repository/${name}/mirror`, { body: mirror });
      made.add(name);
      return there ? "changed" : "created";
    });
    await step("First sync", async () => {
      await call("POST", path`repository/${name}/mirror/sync-now`);
      return "started";
    });
    await follow(name, `${organization}+${filled.robot}`, organization);
  }

  /** One step, with a mark when it is done; what fails stays, and the same button goes on from there. */
  async function step(text, task) {
    const said = quiet("…"),
      item = h("li", {}, h("strong", {}, text), said);
    steps.append(item);
    try {
      fill(said, `✓ ${await task()}`);
    } catch (error) {
      fill(said, "✗ failed");
      throw error;
    }
  }

  function follow(name, robot, organization) {
    const run = runView(),
      line = p();
    let done = false;
    fill(after, line, run.element);
    return new Promise((finish) => {
      every(
        POLL,
        async () => {
          if (done) return 60_000;
          const [latest] = (await get(path`repository/${name}/mirror/runs`, { limit: 1 })).runs;
          if (!latest) return fill(line, state("SYNC_NOW")) && POLL;
          const full = await get(path`repository/${name}/mirror/runs/${latest.run_id}`);
          run.update(full);
          fill(line, state(`run ${full.status}`));
          if (full.status === "SYNCING") return POLL;
          done = true;
          say(full.status === "SUCCESS" ? "The first sync is done" : "The first sync failed");
          const tag = full.tags.find((it) => it.digest)?.tag ?? "TAG";
          if (full.status === "SUCCESS")
            after.prepend(
              h("h3", {}, "Pull it"),
              pulls(name, tag),
              p(
                "Log in first, with the credentials of ",
                h("a", { href: toOrganization(organization, "robots", { robot }) }, robot),
                "."
              )
            );
          after.append(
            p(h("a", { class: "button", href: toRepository(name, "mirroring") }, "Its mirroring")),
            p(h("a", { href: toRepository(name, "tags") }, "Its tags"))
          );
          finish();
          return 60_000;
        },
        (error) => {
          if (error) fill(line, problem(error));
        }
      );
    });
  }
}
