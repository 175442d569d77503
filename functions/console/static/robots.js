// Robots of an organization: their credentials, roles and the repositories that they are for; and as a choice.

import {
  actions, ask, button, call, closeAll, copy, fill, filters, get, h, hint, isAdmin, link, orHidden, p, prompt, quiet, robotsOf, show,
  shows, small, table, time, toRepository
} from "./kit.js";
import { elsewhere, workloads } from "./robot-access.js";

const FORMS = [
  ["docker-login", "docker login"],
  ["podman-login", "podman login"],
  ["docker-config", "Docker configuration"],
  ["kubernetes", "Kubernetes secret"]
];

const DOTS = "•".repeat(12);

/** Credentials as they are shown to whoever looks over a shoulder: what is copied is the whole. */
const masked = (text, robot, token) =>
  text
    .replaceAll(token, DOTS)
    .replaceAll(btoa(`${robot}:${token}`), DOTS)
    .replace(/(dockerconfigjson: *)\S+/, `$1${DOTS}`);

/** The names of the robots of a namespace. */
export const robots = async (namespace) =>
  (
    await get(robotsOf(namespace), { token: false, permissions: false }).catch(orHidden({ robots: [] }))
  ).robots.map((it) => it.name);

/** Asks for a robot's name, and makes it. Its full name, or nothing. */
export const createRobot = (namespace) =>
  prompt(
    "Create a robot account",
    [
      { name: "name", label: "Name", required: true, help: `Its full name will be ${namespace}+name.` },
      { name: "description", label: "Description" }
    ],
    {
      task: async ({ name, description }) =>
        (await call("PUT", `${robotsOf(namespace)}/${encodeURIComponent(name)}`, { body: { description } })).name
    }
  );

/**
 * What a choice of robots leads to besides: a new one, for administrators. Who is none may have been shown no robot, and can
 * name one.
 */
export const another = (namespace) =>
  isAdmin(namespace)
    ? { create: () => createRobot(namespace), createLabel: "Create a robot account…" }
    : { create: () => nameRobot(namespace), createLabel: "Name a robot account…" };

const nameRobot = (namespace) =>
  prompt("Name a robot account", [{ name: "name", label: "Name", required: true, placeholder: `${namespace}+name` }], {
    verb: "Choose",
    content: p(
      `Robots of ${namespace} are shown to those who administer it or create repositories there: ask them for a name. `,
      "One that logs in elsewhere by itself is theirs to choose."
    ),
    task: async ({ name }) => name
  });

export async function list(content, { name, query }) {
  const place = h(),
    all = h(),
    where = robotsOf(name),
    may = isAdmin(name);
  fill(
    content,
    filters(
      may &&
        button(
          "Create a robot",
          async () => {
            const made = await createRobot(name);
            if (made) {
              await load();
              await open(made);
            }
          },
          "main"
        ),
      hint("Robots write mirrors, and pull from them.")
    ),
    place,
    all
  );
  await load();
  if (may && query.robot) await open(query.robot);

  async function load() {
    const { robots: found } = await get(where, { permissions: true, token: false });
    fill(
      all,
      table(
        "Robots",
        [
          ["Robot", (robot) => h("strong", robot.name)],
          ["Description", (robot) => robot.description || quiet("–")],
          // Only administrators are told of these.
          may && [
            "Repositories",
            (robot) =>
              robot.repositories?.length
                ? robot.repositories.map((it, index) => [
                    index > 0 && ", ",
                    link(toRepository(`${name}/${it}`), it)
                  ])
                : quiet("none")
          ],
          may && [
            "Mirrors",
            (robot) => [
              (robot.mirrors ?? []).map((it, index) => [index > 0 && ", ", link(toRepository(it, "mirroring"), it)]),
              robot.mirrors_total > robot.mirrors?.length && ` and ${robot.mirrors_total - robot.mirrors.length} more`
            ]
          ],
          may && ["Teams", (robot) => (robot.teams ?? []).map((team) => team.name).join(", ") || "–"],
          ["Created", (robot) => time(robot.created)],
          may && [
            "",
            (robot) =>
              actions(
                button("Credentials", () => open(robot.name), {
                  class: "small",
                  label: `Credentials of ${robot.name}`
                }),
                small("Delete", robot.name, () => remove(robot), true)
              )
          ]
        ],
        found,
        "There are no robots yet. A mirror needs one."
      )
    );
  }

  function of(robot) {
    return `${where}/${encodeURIComponent(robot.slice(robot.indexOf("+") + 1))}`;
  }

  async function open(robot) {
    try {
      const texts = await Promise.all(
        FORMS.map(([form]) => get(`${of(robot)}/credentials`, { form }, { raw: true }))
      );
      const [{ token, external_registry: login, federation = [] }, { permissions }] = await Promise.all([
        get(of(robot)),
        get(`${of(robot)}/permissions`)
      ]);
      const secret = h("div", copy(token, "the token", DOTS));
      await show(
        robot,
        h("h3", "Token"),
        secret,
        FORMS.map(([, label], index) => [
          h("h3", label),
          copy(texts[index].trim(), label, masked(texts[index].trim(), robot, token))
        ]),
        workloads(robot, of(robot), federation, () => anew(robot)),
        elsewhere(robot, of(robot), login, () => anew(robot)),
        h("h3", "Permissions"),
        table(
          "Permissions",
          [
            [
              "Repository",
              (it) => link(toRepository(`${name}/${it.repository.name}`, "settings"), it.repository.name)
            ],
            ["Role", (it) => it.role]
          ],
          permissions,
          "It has no roles of its own."
        ),
        actions(button("Regenerate the token…", () => regenerate(robot), "danger small"))
      );
    } catch (error) {
      shows(place)(error);
    }
  }

  async function regenerate(robot) {
    const used = (await get(`${of(robot)}/permissions`)).permissions.map(
      (it) => `pulls from ${name}/${it.repository.name}`
    );
    const done = await ask({
      title: `Regenerate the token of ${robot}?`,
      text: "Whoever uses the present token can no longer pull:",
      lost: used.length ? used : ["the present token"],
      verb: "Regenerate",
      task: () => call("POST", `${of(robot)}/regenerate`)
    });
    if (done) await anew(robot);
  }

  function anew(robot) {
    closeAll();
    return open(robot);
  }

  async function remove(robot) {
    const done = await ask({
      title: `Delete ${robot.name}?`,
      text: "Whoever pulls with it can no longer.",
      lost: (robot.repositories ?? []).map((it) => `its role on ${name}/${it}`),
      typed: robot.name,
      remove: of(robot.name)
    });
    if (done) await load();
  }
}
