// What a robot logs in with elsewhere, and who logs in as the robot without its token.

import { besideCloud, CLOUD } from "./clouds.js";
import { drawn } from "./gate-form.js";
import {
  actions, button, call, facts, h, hint, LABELS, p, prompt, removal, small, table, tlsFields, tlsOf, toldOf
} from "./kit.js";

const WORKLOADS = {
  name: "federation",
  label: "Workloads",
  plain: true,
  parts: [
    {
      path: "workloads",
      label: "Who may be the robot",
      kind: "rows",
      row: "Workload",
      add: "Add a workload",
      parts: [
        { path: "issuer", label: "Issuer", placeholder: "https://token.actions.githubusercontent.com" },
        { path: "subject", label: "Subject", placeholder: "repo:acme/app:ref:refs/heads/main", help: "Letter by letter." },
        {
          path: "audiences",
          label: "Audiences",
          kind: "lines",
          placeholder: location.origin,
          help: "One in each line. Say one: else whoever gets a token of the workload can be the robot."
        }
      ]
    }
  ]
};

/** The workloads that may be the robot at `where`; `again` is called when they have changed. */
export function workloads(name, where, federation, again) {
  const task = ({ federation: it }) =>
    it ? call("POST", `${where}/federation`, { body: it.workloads }) : call("DELETE", `${where}/federation`);
  const change = async () => {
    const done = await prompt(`Workloads of ${name}`, drawn([WORKLOADS]), {
      verb: "Save",
      values: { federation: federation.length ? { workloads: federation } : null },
      content: hint("They show a token of their own provider, and get a password of the robot for an hour."),
      task
    });
    if (done) again();
  };
  return [
    h("h3", "Workloads that log in without the token"),
    table(
      "Workloads",
      [
        ["Issuer", (it) => h("code", it.issuer)],
        ["Subject", (it) => h("code", it.subject)],
        ["Audiences", (it) => (it.audiences ? h("code", it.audiences.join(", ")) : "any")]
      ],
      federation
    ),
    actions(button("Change the workloads…", change, "small"))
  ];
}

const loginFields = (exists) => [
  { name: "host", label: "Registry", required: true, placeholder: "registry.example.com", also: /reference/ },
  CLOUD,
  { name: "username", label: "Username" },
  { name: "password", label: "Password", kind: "password", help: exists && "The stored one is not kept: fill it in again." },
  { name: "no_password", label: "The user has no password", kind: "checkbox" },
  ...["allow_insecure", "allow_proxy"].map((name) => ({ name, label: LABELS[name], kind: "checkbox" })),
  { group: "TLS of its own", more: true },
  ...tlsFields(exists)
];

/** What the API takes of them: a password, unless there is something else to log in with, as what `login` has for its registry. */
export function toLogin(filled, login) {
  const { host, credentials, username, password, no_password, allow_insecure, allow_proxy, ...more } = filled,
    isKept = login?.host === host && login.tls && !more.forget_tls,
    tls = tlsOf(more) ?? (isKept ? {} : more.forget_tls ? null : undefined),
    by = credentials ? { credentials } : username || password || !tls ? { username, password } : {};
  if (by.username && !password && !no_password)
    throw Object.assign(new Error("Fill in the password, or say that the user has none."), { field: "password" });
  return { host, allow_insecure, allow_proxy, ...by, ...(tls !== undefined && { tls }) };
}

/** The robot's login at an external registry; `again` is called when it has changed. */
export function elsewhere(name, where, login, again) {
  const at = `${where}/external-registry`;
  const change = async () => {
    const done = await prompt(`Login of ${name}`, drawn(loginFields(login)), {
      verb: "Save",
      values: { ...login, stored_tls: login?.tls },
      content: p("Its mirrors of this registry log in so, unless they have a login of their own. It is stored as a whole."),
      changed: besideCloud,
      task: (filled) => call("PUT", at, { body: toLogin(filled, login) })
    });
    if (done) again();
  };
  const by = login && (login.credentials ? login.credentials.type : login.username || "its certificate");
  return [
    h("h3", "Login at an external registry"),
    login
      ? facts(
          ["Registry", login.host],
          ["By", by],
          login.tls && ["TLS", toldOf(login.tls)],
          ...["allow_insecure", "allow_proxy"].map((it) => login[it] && [LABELS[it], "Yes"])
        )
      : hint("There is none."),
    actions(
      small(login ? "Change…" : "Add…", "the login", change),
      login && removal("the login", `Mirrors with ${name} lose it.`, at, again)
    )
  ];
}
