// The Mirroring tab: where the mirror stands, its form with a preview beside it, and its runs.

import * as holds from "./holds.js";
import {
  ask, button, call, count, every, fields, fill, get, go, h, inOrder, isBusy, link, notice, orNull, outdated, p, path,
  previewed, say, shows, toOrganization, toRepository, WORDS
} from "./kit.js";
import { nodes } from "./nodes.js";
import { preview } from "./preview.js";
import { another, robots } from "./robots.js";
import { runList } from "./runs.js";
import { settings } from "./settings.js";
import { standing } from "./standing.js";
import { webhook } from "./webhook.js";

const BUSY = 1000;
const IDLE = 5000;

export async function show(content, { name, namespace, repository, query }) {
  if (query.holds) return holds.show(content, name);
  const where = path`repository/${name}/mirror`,
    find = () => get(where).catch(orNull),
    answers = inOrder();
  const note = h(),
    top = h(),
    middle = h(),
    past = h(),
    stale = h();
  // The organization's mirror configures those that it has made.
  const isDiscovered = repository.state === "ORG_MIRROR",
    elsewhere = () => link(toOrganization(namespace, "mirroring"), `Mirroring of ${namespace}`);
  const status = standing(where, { changed: refresh, held });
  const history = runList(name, query.run, refresh);
  const hook = webhook(where);
  const unchanged = nodes(name);
  const shown = preview(name);
  const editor = settings({
    where,
    find,
    answers,
    fields: (exists) =>
      fields(
        exists,
        () => robots(namespace),
        another(namespace)
      ),
    name: "Mirror settings",
    title: "Mirror an external repository",
    below: end,
    changed: asks,
    made: () => {
      repository.state = "MIRROR";
      return refresh();
    }
  });
  let mirror = await find();
  fill(content, stale, note, top, middle, past);
  draw();
  await every(IDLE, refresh, outdated(stale));

  /** What is to be known of a repository that is no mirror, or not its own. */
  function told() {
    if (isDiscovered)
      return notice(p("The organization's mirror keeps this repository; it is configured there: ", elsewhere()));
    if (mirror && repository.state !== "MIRROR")
      return notice(
        p(
          "This repository's state is not Mirror, so that it is not synced. ",
          link(toRepository(name, "settings"), "Change its state in Settings")
        )
      );
    return !mirror && p("A mirror has the tags of the external repository, and no others.");
  }

  function draw() {
    fill(note, told());
    fill(top, mirror && [status.element, history.current]);
    if (mirror) unchanged.update(mirror);
    fill(past, mirror && [unchanged.element, history.all]);
    if (isDiscovered) return;
    fill(middle, h("div.split", editor.element, shown.element), mirror && hook.element);
    editor.show(mirror);
  }

  async function refresh() {
    const fresh = await answers.read(find),
      before = mirror;
    mirror = fresh;
    if (!fresh !== !before) draw();
    if (!fresh) return IDLE;
    if (before && before.sync_status !== fresh.sync_status) say(WORDS[fresh.sync_status][0]);
    if (!isDiscovered) editor.update(fresh);
    status.update(fresh);
    unchanged.update(fresh);
    const busy = isBusy(fresh);
    await history.update();
    if (busy) return BUSY;
    if (!isDiscovered) await hook.update();
    return IDLE;
  }

  function asks(filled) {
    shown.ask(previewed(mirror, filled));
  }

  /** Ends mirroring. */
  function end() {
    return h(
      "details.group",
      h("summary", "End mirroring"),
      p("What tags point to stays."),
      button(
        "Delete the mirror",
        async () => {
          const title = `End the mirror of ${name}?`,
            settings = `The settings, with ${mirror.external_reference}`,
            lost = [settings, "The schedule", "The stored password", ...(await history.pinned())];
          if (await ask({ title, lost, typed: name, remove: where }))
            go(toRepository(name));
        },
        "danger"
      )
    );
  }

  /** What leads to what waits, and to the deletions that were held back. */
  function held({ reason, tags }) {
    if (reason === "tags_held") return p(link(toRepository(name, "mirroring", { holds: "all" }), "Look at what waits"));
    if (reason !== "deletions_held") return null;
    if (isDiscovered) return p("Whether they may be made is configured there: ", elsewhere());
    return button("Look at them, and delete them…", () => approve(tags).catch(shows(stale)), "danger");
  }

  /** Lets them be made: after they have been named. */
  async function approve(many) {
    const names = await history.held();
    if (names.length < many) names.push(`${count(many - names.length, "tag")} that no run names any more`);
    const once = `One sync may then delete ${count(many, "tag")} of ${name}.`;
    await ask({
      title: `Delete ${count(many, "tag")}?`,
      verb: "Delete and sync now",
      typed: String(many),
      lost: names,
      text: `${once} The setting "Deletions in one sync" stays so until you change it.`,
      task: () =>
        answers.change(async () => {
          await call("PUT", where, { body: { deletion_limit: many } });
          await call("POST", `${where}/sync-now`);
        })
    });
    await refresh();
  }
}
