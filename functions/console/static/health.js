// How the deployment is: what its alarms are made of, and the last garbage collection.

import {
  box, count, digits, every, facts, fill, filters, get, go, h, heading, hint, isSuperuser, link, options, organizations,
  outdated, problem, span, state, subject, table, time, toOrganization, toRepository, toScreen
} from "./kit.js";

const POLL = 30000;
/** An hour: what the alarm waits for. */
const CLAIM = 3600;
const COLLECTION = 259_200;

export async function show(view, { query }) {
  const place = h(),
    stale = h(),
    names = organizations().map((it) => it.name);
  // Of the whole deployment, or of a namespace that the token may see.
  const namespace = isSuperuser() ? null : names.includes(query.namespace) ? query.namespace : names[0];
  const picker = h(
    "select",
    { label: "Namespace", onchange: () => go(toScreen("health", { namespace: picker.value })) },
    options(names)
  );
  picker.value = namespace ?? "";
  fill(view, heading("Health"), namespace && names.length > 1 && filters(picker), stale, place);
  if (!isSuperuser() && !namespace) return void fill(place, hint(`${subject()} may see no organization as a whole.`));
  let shown;
  await every(
    POLL,
    async () => {
      const health = await (isSuperuser() ? read("superuser") : read("repository", { namespace }));
      const key = JSON.stringify({ ...health, last_check: 0, issues: health.issues.map((it) => it.message) });
      if (key !== shown) draw(health);
      shown = key;
    },
    outdated(stale)
  );

  function draw({ healthy, repositories: number, issues, facts: known, last_check }) {
    fill(
      place,
      box(
        `The mirrors${namespace ? ` of ${namespace}` : ""} are ${healthy ? "" : "not "}healthy`,
        issues.map((it) => problem(it)),
        facts(
          ["Mirrors of repositories that are on", number.total],
          ["In sync", number.completed],
          ["Failing", number.failed],
          ["Syncing", number.syncing],
          ["Queued or interrupted", number.queued],
          ["Cancelled", number.cancelled],
          ["Never ran", number.never_run],
          ["Looked at", time(last_check)]
        )
      ),
      known &&
        box(
          "What the alarms watch",
          table(
            "Alarms",
            [
              ["What", (it) => h("strong", it.name)],
              ["State", (it) => state(it.bad ? "look" : "fine")],
              ["Now", (it) => it.now],
              ["What to do", (it) => it.bad && it.advice]
            ],
            alarms(known)
          )
        ),
      known && collection(known)
    );
  }
}

/** It is answered with 503 where much fails; what has no numbers is an error of something else. */
const read = (whose, query) => get(`${whose}/mirror/health`, query, { accept: (it) => it?.repositories });

const links = (names) =>
  names.map((name, index) => [
    index > 0 && ", ",
    link((name.includes("/") ? toRepository : toOrganization)(name, "mirroring"), name)
  ]);

const alarms = (it) => [
  {
    name: "Late mirrors",
    bad: it.mirrors_late > 0,
    now: [`${it.mirrors_late} of ${count(it.mirrors, "mirror")}, with organizations' and disabled ones `, links(it.late)],
    advice: "See on its page why the last run failed."
  },
  {
    name: "Held deletions",
    bad: it.mirrors_held > 0,
    now: [`${it.mirrors_held} `, links(it.held)],
    advice: "See whether the registry lost those tags; then let them be deleted."
  },
  {
    name: "Killed syncs",
    bad: it.claim_expired_seconds > CLAIM,
    now: [`${it.claims_expired} `, links(it.expired)],
    advice: "If they do not go on within minutes, look at the sync function's log."
  },
  {
    name: "Garbage collection held",
    bad: it.collection_held,
    now: it.collection_held ? "It deleted nothing" : "No",
    advice: "Its numbers look wrong: compare them with what you deleted."
  },
  {
    name: "Garbage collection late",
    bad: it.collection_age_seconds > COLLECTION,
    now: `${span(it.collection_age_seconds)} without a good one`,
    advice: "Look at the collector's log and its dead letters."
  }
];

function collection({ collection: last }) {
  if (!last) return box("Last garbage collection", hint("There was none yet."));
  return box(
    "Last garbage collection",
    facts(
      ["Began", time(last.started_at)],
      ["Ended", time(last.ended_at, { none: "It goes on" })],
      ["Objects deleted", digits(last.deleted)],
      [
        "Repositories",
        `${last.repositories}${last.repositories_skipped ? `, ${last.repositories_skipped} skipped` : ""}`
      ]
    ),
    last.held && problem({ message: JSON.stringify(last.held) }, "Held back:")
  );
}
