// The Mirroring tab: where the mirror stands, its form with a preview beside it, and its runs.

import { Problem, call, get, orNull, path } from "./api.js";
import { ask } from "./dialog.js";
import { fill, h, p, say } from "./element.js";
import { form } from "./form.js";
import { changes, dropsPassword, fields, filledIn, label, toBody, toForm } from "./mirror-fields.js";
import { button, outdated, problem } from "./parts.js";
import { preview } from "./preview.js";
import { toOrganization, toRepository } from "./route.js";
import { createRobot, robots } from "./robot.js";
import { runList } from "./runs.js";
import { every } from "./screen.js";
import { standing } from "./standing.js";
import { WORDS, count, isBusy } from "./text.js";

const BUSY = 1_000;
const IDLE = 5_000;

const where = (name) => path`repository/${name}/mirror`;
/** The mirror of a repository; null if it has none. */
export const find = (name) => get(where(name)).catch(orNull);

export async function show(content, { name, namespace, repository, query }) {
  let mirror = await find(name);
  const notice = h("div"),
    top = h("div"),
    middle = h("div"),
    past = h("div"),
    stale = h("div");
  fill(content, stale, notice, top, middle, past);
  const status = standing(where(name), { changed: () => refresh(), approve: approveHeld });
  const history = runList(name, query.run);
  let editor;
  draw();
  await every(IDLE, refresh, outdated(stale));

  function draw() {
    if (mirror) {
      fill(top, status.element, history.current);
      fill(past, history.all);
    }
    if (repository.state === "ORG_MIRROR") {
      fill(
        notice,
        h(
          "div",
          { class: "notice" },
          p(
            "The organization's mirror keeps this repository; it is configured there: ",
            h("a", { href: toOrganization(namespace, "mirroring") }, `Mirroring of ${namespace}`)
          )
        )
      );
      return void fill(middle);
    }
    if (mirror && repository.state !== "MIRROR") {
      fill(
        notice,
        h(
          "div",
          { class: "notice" },
          p(
            "This repository's state is not Mirror, so that it is not synced. ",
            h("a", { href: toRepository(name, "settings") }, "Change its state in Settings")
          )
        )
      );
    } else fill(notice, !mirror && p("As a mirror this repository has the tags of the external one, and no others."));
    editor = edit();
    fill(middle, mirror ? h("div", { class: "split" }, editor.box, editor.preview.element) : editor.box);
    return undefined;
  }

  async function refresh() {
    const fresh = await find(name);
    if (!fresh) {
      if (mirror) {
        mirror = null;
        fill(top);
        fill(past);
        draw();
      }
      return IDLE;
    }
    const isNew = !mirror;
    const settings = JSON.stringify(settingsOf(fresh)),
      before = mirror && JSON.stringify(settingsOf(mirror));
    const was = mirror?.sync_status;
    mirror = fresh;
    if (was && was !== fresh.sync_status) say(WORDS[fresh.sync_status][0]);
    if (isNew) draw();
    else if (settings !== before && editor && !editor.shape.isDirty()) {
      editor.reload(fresh);
      say("Somebody changed the settings; they are shown now");
    } else if (settings !== before && editor) editor.foreign(fresh);
    status.update(fresh);
    const busy = isBusy(fresh);
    await history.update(busy);
    return busy ? BUSY : IDLE;
  }

  function edit() {
    const exists = Boolean(mirror),
      said = h("div", { role: "status" });
    const shown = exists ? preview(name) : null;
    let base = mirror,
      shape = make(mirror);
    const container = h(
      "section",
      { class: "box", label: "Mirror settings" },
      h("h2", {}, exists ? "Settings" : "Mirror an external repository"),
      said,
      shape.element,
      exists && end()
    );
    return {
      box: container,
      preview: shown,
      get shape() {
        return shape;
      },
      reload,
      foreign
    };

    function make(from) {
      return form(
        fields(
          exists,
          () => robots(namespace),
          () => createRobot(namespace)
        ),
        toForm(from),
        {
          verb: exists ? "Update Mirror" : "Enable Mirror",
          label: "Mirror settings",
          task: save,
          changed: (filled) => shown && asks(filled)
        }
      );
    }
    function asks(filled) {
      const settings = {
        root_rule: { rule_kind: "tag_glob_csv", rule_value: filled.root_rule },
        architecture_filter: filled.architecture_filter
      };
      if (filled.deletion_limit !== null) settings.deletion_limit = filled.deletion_limit;
      shown.ask(settings);
    }
    function reload(fresh) {
      base = fresh;
      const made = make(fresh);
      shape.element.replaceWith(made.element);
      shape = made;
      fill(said);
    }
    /** Somebody else has changed what is being changed here. */
    function foreign(fresh) {
      const theirs = Object.keys(changes(settingsOf(base), settingsOf(fresh))).map(label);
      if (!theirs.length) return;
      fill(
        said,
        h(
          "div",
          { class: "notice" },
          p(
            h("strong", {}, "Somebody else has changed: "),
            theirs.join(", "),
            ". What you save replaces only what you changed."
          ),
          button("Show theirs, and drop my changes", () => reload(fresh), "small")
        )
      );
    }

    async function save(filled) {
      if (!exists) {
        await call("POST", where(name), { body: filledIn(toBody(filled)) });
        say("The mirror is set up");
        repository.state = "MIRROR";
        return void (await refresh());
      }
      const before = toBody(toForm(base), base.external_registry_config),
        after = toBody(filled, base.external_registry_config);
      const body = changes(before, after);
      if (!Object.keys(body).length) return void fill(said, p("Nothing was changed."));
      const now = await find(name);
      if (!now) throw new Problem("The mirror was deleted meanwhile.", 404);
      const both = Object.keys(
        changes(toBody(toForm(base), base.external_registry_config), toBody(toForm(now), now.external_registry_config))
      ).filter((key) => key in body);
      if (
        both.length &&
        !(await ask({
          title: "Replace somebody else's changes?",
          text: "They have changed these, too:",
          lost: both.map(label),
          verb: "Save mine",
          task: async () => {}
        }))
      )
        return undefined;
      if (
        dropsPassword(before, after) &&
        !(await ask({
          title: "Drop the stored password?",
          verb: "Save without it",
          task: async () => {},
          text: "A change of the host, a proxy or Verify TLS drops it, unless you type it again.",
          lost: ["The password of the external registry"]
        }))
      )
        return undefined;
      try {
        await call("PUT", where(name), { body });
      } catch (error) {
        // The API does not always name the field: if there is only one, it is that.
        const keys = Object.keys(body);
        throw keys.length === 1 && !error.message.includes(keys[0])
          ? new Problem(`${keys[0]}: ${error.message}`, error.status)
          : error;
      }
      mirror = await find(name);
      reload(mirror);
      fill(said, h("p", { class: "saved" }, "Saved. The next sync does it so."));
      say("Saved");
      return undefined;
    }
  }

  /** Ends mirroring. */
  function end() {
    return h(
      "details",
      { class: "group" },
      h("summary", {}, "End mirroring"),
      p("The images stay."),
      button(
        "Delete the mirror",
        () =>
          ask({
            title: `End the mirror of ${name}?`,
            text: "Its tags stay as they are.",
            lost: [`The settings, with ${mirror.external_reference}`, "The schedule", "The stored password"],
            typed: name,
            remove: where(name)
          }).then((done) => {
            if (done) location.hash = toRepository(name, "information");
          }),
        "danger"
      )
    );
  }

  /** Lets deletions that were held back be made: after they have been named. */
  async function approveHeld(warning) {
    const run = await history.latest();
    const held = (run?.tags ?? []).filter((it) => it.outcome === "held").map((it) => it.tag);
    const many = warning.tags ?? held.length;
    await ask({
      title: `Delete ${count(many, "tag")}?`,
      verb: "Delete and sync now",
      typed: String(many),
      lost: held,
      text: `One sync may then delete ${many} tags of ${name}. The setting "Deletions in one sync" stays so until you change it.`,
      task: async () => {
        await call("PUT", where(name), { body: { deletion_limit: many } });
        await call("POST", path`repository/${name}/mirror/sync-now`);
      }
    });
    await refresh();
  }
}

/** What somebody configures, of all that the API says of a mirror. */
function settingsOf(mirror) {
  const {
    sync_status: _1,
    sync_expiration_date: _2,
    sync_retries_remaining: _3,
    sync_warning: _4,
    sync_waiting_until: _5,
    sync_start_date: _6,
    ...settings
  } = mirror;
  return settings;
}
