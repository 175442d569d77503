// The front page: all mirrors, worst first.

import {
  advises, box, button, digits, every, fill, filters, framed, h, isAdmin, isAnyAdmin, isBusy, line, link, options,
  outdated, p, pages, quiet, runs, say, searchField, span, state, subject, time, toOrganization, toRepository, toScreen,
  worded, WORDS
} from "./kit.js";
import {
  ORDER,
  TROUBLE,
  chosen,
  counts,
  lagOf,
  nameOf,
  remark,
  sentence,
  sorted,
  stateOf,
  trouble
} from "./mirrors.js";

const POLL = 10000;
const ALL = ["", "All namespaces"];

const COLUMNS = [
  [
    "Mirror",
    (mirror) => [
      link(
        (mirror.repository ? toRepository : toOrganization)(nameOf(mirror), isAdmin(mirror.namespace) && "mirroring"),
        nameOf(mirror)
      ),
      h("small", mirror.external_reference ?? "Organization: finds repositories to mirror")
    ]
  ],
  ["State", (mirror) => [state(stateOf(mirror)), remark(mirror) && h("small", remark(mirror))]],
  ["Lag of interval", lag, "number"],
  ["Last good run", (mirror) => time(mirror.last_success)],
  ["Next start", next],
  ["Tags selected", (mirror) => mirror.tags?.toLocaleString("en") ?? quiet(isBusy(mirror) ? "counting" : "–"), "number"],
  ["Last runs", (mirror) => runs(mirror.runs)]
];

function next(mirror) {
  if (isBusy(mirror)) return quiet("now");
  return mirror.is_enabled ? time(mirror.sync_start_date) : quiet("off");
}

function lag(mirror) {
  const seconds = lagOf(mirror, Date.now()),
    of = ` / ${span(mirror.sync_interval)}`;
  if (seconds === null) return quiet(`–${of}`);
  return h("span", { class: mirror.is_late ? "late" : undefined }, span(seconds), quiet(of));
}

export async function show(view, { query }) {
  const filter = { text: query.q ?? "", state: query.state ?? "", namespace: query.namespace ?? "" };
  const rows = new Map(),
    states = new Map();
  let mirrors = [];
  const title = h("h1", { tabindex: "-1" }, "Mirrors");
  const tiles = h("div.tiles", { role: "group", label: "Filter by state" });
  const stale = h(),
    first = h(),
    shown = h("p.quiet", { role: "status" });
  const body = h("tbody");
  const search = searchField("Search mirrors", {
    placeholder: "Search name or source",
    value: filter.text,
    oninput: typed
  });
  const namespaces = h(
    "select",
    {
      label: "Namespace",
      onchange: () => {
        filter.namespace = namespaces.value;
        draw();
      }
    },
    options([ALL])
  );
  const list = framed(COLUMNS, { label: "Mirrors, worst first", class: "mirrors" }, body);
  const choices = filters(search, namespaces, shown);
  fill(
    view,
    h("div.heading", title, isAnyAdmin() && create("New mirror")),
    stale,
    first,
    tiles,
    choices,
    list
  );
  await every(POLL, load, outdated(stale));

  async function load() {
    mirrors = sorted(await pages("mirror/overview", {}, "organizations", "mirrors"), Date.now());
    tell();
    draw();
  }

  /** Says what has become worse since the last time. */
  function tell() {
    const worse = mirrors.filter(
      (mirror) =>
        states.has(nameOf(mirror)) && states.get(nameOf(mirror)) !== stateOf(mirror) && TROUBLE.has(stateOf(mirror))
    );
    if (worse.length)
      say(
        worse
          .slice(0, 3)
          .map((mirror) => `${nameOf(mirror)}: ${WORDS[stateOf(mirror)][0]}`)
          .join("; ")
      );
    for (const mirror of mirrors) states.set(nameOf(mirror), stateOf(mirror));
  }

  function draw() {
    fill(title, sentence(mirrors));
    document.title = `${sentence(mirrors)} · Moorage`;
    drawTiles();
    const names = [...new Set(mirrors.map((mirror) => mirror.namespace))].sort();
    if (namespaces.options.length !== names.length + 1) {
      fill(namespaces, options([ALL, ...names]));
      namespaces.value = filter.namespace;
    }
    const visible = chosen(mirrors, filter);
    fill(
      shown,
      visible.length === mirrors.length ? "" : `${digits(visible.length)} of ${digits(mirrors.length)} shown`
    );
    list.hidden = !mirrors.length;
    choices.hidden = tiles.hidden = !mirrors.length;
    fill(first, mirrors.length ? [] : welcome());
    const wanted = visible.flatMap(rowsOf);
    // Rows that stay are not touched, so that focus and scrolling stay, too.
    if (wanted.length !== body.children.length || wanted.some((row, index) => body.children[index] !== row))
      body.replaceChildren(...wanted);
  }

  function rowsOf(mirror) {
    const name = nameOf(mirror),
      json = JSON.stringify(mirror);
    let known = rows.get(name);
    if (known?.json !== json) {
      const row = line(COLUMNS, mirror),
        reason = why(mirror);
      row.className = stateOf(mirror).toLowerCase();
      if (known?.rows[0].contains(document.activeElement)) queueMicrotask(() => row.querySelector("a").focus());
      known = { json, rows: reason ? [row, reason] : [row] };
      rows.set(name, known);
    }
    return known.rows;
  }

  function drawTiles() {
    const number = counts(mirrors);
    const wanted = ORDER.filter((it) => number[it] || it === filter.state);
    const key = wanted.map((it) => `${it}${number[it]}${it === filter.state}`).join();
    if (tiles.dataset.key === key) return;
    tiles.dataset.key = key;
    const focused = document.activeElement?.dataset?.state;
    fill(
      tiles,
      wanted.map((it) =>
        button(
          [h("b", digits(number[it])), " ", state(it)],
          () => {
            filter.state = filter.state === it ? "" : it;
            draw();
          },
          { "aria-pressed": String(filter.state === it), "data-state": it }
        )
      )
    );
    if (focused) tiles.querySelector(`[data-state=${focused}]`)?.focus();
  }

  function typed() {
    filter.text = search.value;
    draw();
  }
}

/** Why it is in trouble, and what to do about it. */
function why(mirror) {
  const [text, advice] = trouble(mirror),
    { namespace } = mirror;
  return (
    text &&
    h(
      "tr.why",
      h(
        "td",
        { colspan: COLUMNS.length },
        p(h("b", "Why: "), worded(text)),
        advice && advises(advice, !isAdmin(namespace) && `. Administrators of ${namespace} can do that.`)
      )
    )
  );
}

const create = (text) => h("a.button.main", { href: toScreen("guide") }, text);

const welcome = () =>
  box(
    "Mirror your first repository",
    p(
      "Moorage copies tags from other registries, and keeps them current."
    ),
    isAnyAdmin() ? create("Create the first mirror") : p(`${subject()} may not create one.`)
  );
