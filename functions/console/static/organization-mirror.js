// The mirror of a whole namespace: where it and its repositories stand, and its settings.

import {
  acting, actions, advises, ask, box, button, call, count, every, fill, get, h, hint, inOrder, isBusy, link, notice,
  organizationFields, orNull, outdated, p, path, problem, say, shows, state, table, time, toOrganization,
  toRepository, WORDS
} from "./kit.js";
import { another, robots } from "./robots.js";
import { settings } from "./settings.js";
import { standing } from "./standing.js";

const BUSY = 1500;
const IDLE = 5000;
const TITLE = "Mirror a whole namespace";

export async function show(content, { name, query }) {
  const where = path`organization/${name}/mirror`,
    find = () => get(where).catch(orNull),
    answers = inOrder(),
    lists = inOrder();
  const top = h(),
    list = h(),
    stale = h();
  const status = standing(where, { changed: refresh });
  const editor = settings({
    where,
    find,
    answers,
    fields: (exists) =>
      organizationFields(
        exists,
        () => robots(name),
        another(name)
      ),
    begins: { skopeo_timeout: 300, external_registry_type: "distribution" },
    name: "Organization mirror",
    title: TITLE,
    below,
    made: refresh
  });
  let mirror = await find(),
    filter = query.status ?? "",
    page = 1,
    drawn;
  fill(content, stale, top, list, editor.element);
  await offer();
  await every(IDLE, refresh, outdated(stale));

  /** Shows the settings; none where those of a new mirror would be refused. */
  async function offer() {
    if (mirror || !(await get("repository", { namespace: name })).repositories.length) editor.show(mirror);
    else
      fill(
        editor.element,
        h("h2", TITLE),
        notice(p(`Only an organization without repositories can mirror a namespace, and ${name} has some.`))
      );
  }

  async function refresh() {
    const fresh = await answers.read(find),
      before = mirror;
    mirror = fresh;
    if (!fresh !== !before) await offer();
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
    const why = mirror.status_message,
      advice = mirror.status_advice;
    const key = JSON.stringify([found, mirror.repo_sync_status_counts, why, advice, filter]);
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
        why && problem({ message: why }, "Why:"),
        advice && advises(advice),
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
          filter
            ? `None is ${WORDS[filter]?.[0] ?? filter}.`
            : why
              ? "None is known."
              : "None was found yet. Sync Now looks for them."
        ),
        found.total > 0 && hint(count(found.total, "repository", "repositories")),
        actions(page > 1 && button("Back", turn(-1)), found.has_next && button("Next", turn(1)))
      )
    );
  }

  /** What can be done with a mirror besides. */
  function below() {
    const answer = h();
    const acts = actions(
      acting("Verify connection", answer, async () => {
        const { success, message } = await call("POST", `${where}/verify`);
        fill(answer, success ? p(message) : problem({ message }));
        say(message);
      }),
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
