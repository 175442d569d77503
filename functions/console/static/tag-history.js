// What tags pointed to, and when; in ordinary repositories, back to it.

import {
  ask, bytes, call, digestOf, fill, filters, get, growing, h, hint, link, path, searchField, short, shows, small, subject,
  table, time, toRepository
} from "./kit.js";

export async function show(content, { name, repository, query }) {
  const list = h(),
    place = h();
  const load = growing(read, draw, place);
  let entries = [];
  const search = searchField("Only this tag", {
    value: query.tag ?? "",
    onchange: () => load().catch(shows(place))
  });
  const may = repository.state === "NORMAL" && repository.can_write;
  fill(
    content,
    filters(search),
    !may &&
      hint(
        repository.can_admin
          ? "To restore a mirror's tag, make the repository an ordinary one first: "
          : `${subject()} may not restore tags.`,
        repository.can_admin && link(toRepository(name, "settings"), "Settings")
      ),
    place,
    list
  );
  await load();

  async function read(page = 1) {
    const answer = await get(path`repository/${name}/tag/`, { limit: 50, page, specificTag: search.value.trim() });
    return [answer.tags, answer.has_additional && page + 1];
  }

  function draw(rows, more) {
    entries = rows;
    fill(
      list,
      table(
        "Tag history",
        [
          ["Tag", (it) => it.name],
          ["What happened", what],
          ["Digest", (it) => digestOf(it.name, it.manifest_digest)],
          ["Size", (it) => bytes(it.size), "number"],
          ["From", (it) => time(it.start_ts)],
          ["Until", (it) => (it.end_ts ? time(it.end_ts) : h("b", "Now"))],
          may && [
            "",
            (it) =>
              it.end_ts && small("Restore", `${it.name} to ${short(it.manifest_digest)}`, () => restore(it))
          ]
        ],
        entries,
        "There is no past yet."
      ),
      more
    );
  }

  function what(it) {
    const before = entries
      .filter((other) => other.name === it.name && other.end_ts && other.end_ts <= it.start_ts)
      .sort((a, b) => b.end_ts - a.end_ts)[0];
    const began = it.reversion
      ? "Restored"
      : !before || before.end_ts < it.start_ts
        ? "Came"
        : ["Moved from ", h("code", short(before.manifest_digest))];
    const after = it.end_ts && !entries.some((other) => other.name === it.name && other.start_ts === it.end_ts);
    return [began, after && ", then deleted"];
  }

  async function restore(it) {
    const now = entries.find((other) => other.name === it.name && !other.end_ts);
    const done = await ask({
      title: `Restore ${it.name}?`,
      verb: "Restore",
      text: `It will point to ${it.manifest_digest}.`,
      lost: now ? [`${it.name} no longer points to ${now.manifest_digest}`] : [],
      task: () =>
        call("POST", path`repository/${name}/tag/${it.name}/restore`, { body: { manifest_digest: it.manifest_digest } })
    });
    if (done) await load();
  }
}
