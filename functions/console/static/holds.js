// What waits at the gate of a mirror, and how it is let in.

import { gateSays } from "./judged.js";
import {
  box, button, call, digestOf, fill, get, growing, h, hint, link, p, path, prompt, quiet, say, table, time,
  toRepository
} from "./kit.js";

const PAGE = 100;

export async function show(content, name) {
  const where = path`repository/${name}/mirror/holds`,
    list = h(),
    place = h(),
    said = h("div", { role: "status" });
  const load = growing(read, draw, place);
  fill(
    content,
    p(link(toRepository(name, "mirroring"), "Back to its mirroring")),
    box(
      "What waits at the gate",
      hint("They stay as they are until that comes, or somebody releases them."),
      said,
      place,
      list
    )
  );
  await load();

  async function read(after) {
    const { holds, next_page: next } = await get(where, { limit: PAGE, next_page: after });
    return [holds, next];
  }

  function draw(holds, more) {
    const digest = (of, it) => digestOf(it.tag, of) ?? quiet("nothing yet");
    fill(
      list,
      table(
        "Tags that wait",
        [
          ["Tag", (it) => it.tag],
          ["Waits", (it) => digest(it.digest, it)],
          ["Serves", (it) => digest(it.served_digest, it)],
          ["Since", (it) => time(it.since)],
          ["Until", (it) => time(it.until, { none: it.can_be_released ? "it is released" : "not known" })],
          ["Why", (it) => gateSays(it)],
          [
            "",
            (it) =>
              it.can_be_released &&
              button("Release…", () => release(it, holds, more), { class: "small", label: `Release ${it.tag}…` })
          ]
        ],
        holds,
        "Nothing waits."
      ),
      more
    );
  }

  /** Lets an image in: after it was said why. */
  async function release({ tag, digest, question }, holds, more) {
    const tags = holds.filter((it) => it.digest === digest).map((it) => it.tag),
      age = question === "min_age" && "Its age is no longer asked for. ";
    const done = await prompt(
      `Release ${tag}?`,
      [{ name: "reason", label: "Why", kind: "area", required: true, help: "The usage log keeps it, with your name." }],
      {
        verb: "Release",
        content: [
          p(age, "A sync begins now that lets in ", h("code", digest), ". All tags that wait for it will point to it:"),
          h(
            "ul",
            tags.map((it) => h("li", it)),
            more && h("li", "those that are not shown yet")
          ),
          hint("Whatever else the gate asks still has to be right.")
        ],
        task: (body) => call("POST", `${where}/${encodeURIComponent(digest)}/release`, { body })
      }
    );
    if (!done) return;
    fill(said, p(`Released ${tags.join(", ")}. `, link(toRepository(name, "mirroring"), "Watch the sync")));
    say("Released; a sync begins");
    await load();
  }
}
