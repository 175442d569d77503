// The tags of a repository: what each points to, for which platforms, with what attached.

import {
  ask, button, bytes, copy, count, digestOf, facts, fill, filters, get, growing, h, hint, link, path, person, problem, quiet,
  registry, searchField, short, shows, table, time, toRepository
} from "./kit.js";
import { pulls } from "./pull.js";

const PAGE = 100;
/** Pages that are read at once when more are asked for. */
const MORE = 5;
/** How long somebody who types pauses before it is searched for. */
const PAUSE = 300;
/** How many pages are read of attachments: ten thousand tags' signatures are not looked through for one page. */
const ATTACHMENT_PAGES = 5;

/** Tags that hold what is attached to an image: cosign's, and the fallback of the referrers API. */
const ATTACHED = /^sha256-([0-9a-f]{64})(\.sig|\.att|\.sbom)?$/;
const DERIVED = "like:sha256-";
const KINDS = { ".sig": "Signature", ".att": "Attestation", ".sbom": "SBOM", "": "Referrers" };

/** What is attached, by digest of the image. */
function attachments(tags) {
  const found = new Map();
  for (const { name } of tags) {
    const match = ATTACHED.exec(name);
    if (!match) continue;
    const digest = `sha256:${match[1]}`;
    found.set(digest, [...(found.get(digest) ?? []), KINDS[match[2] ?? ""]]);
  }
  return found;
}

/** Tags of some pages, and the page after those, if there is one. */
async function readTags(name, filter_tag_name, pages, page = 1) {
  const all = [],
    end = page + pages;
  for (; page < end; page += 1) {
    const where = path`repository/${name}/tag/`,
      details = !filter_tag_name?.startsWith(DERIVED),
      query = { onlyActiveTags: true, limit: PAGE, page, details, filter_tag_name },
      // What takes too much at present is left out.
      answer = await get(where, query).catch(() => get(where, { ...query, details: false }));
    all.push(...answer.tags);
    if (!answer.has_additional) return [all];
  }
  return [all, page];
}

/** What a tag is for, as far as it is known. */
const platformsOf = (tag) =>
  tag.platforms?.join(", ") || (tag.is_manifest_list ? count(tag.present_child_count ?? 0, "image") : "One image");

export async function show(content, { name, repository }) {
  const list = h(),
    place = h(),
    shown = h("p.quiet", { role: "status" });
  const load = growing(readOn, draw, place),
    anew = () => load().catch(shows(place));
  let timer,
    last = [[]];
  const attached = h("input", { type: "checkbox", onchange: () => draw(...last) });
  const search = searchField("Search tags", {
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(anew, PAUSE);
    }
  });
  fill(content, filters(search, h("label", attached, "Show signatures and other attachments"), shown), place, list);
  let attachedTo = new Map();
  const columns = [
    [
      "Tag",
      (tag) =>
        button(tag.name, (event) => expand(event.currentTarget, tag), { class: "link", "aria-expanded": "false" })
    ],
    ["Digest", (tag) => digestOf(tag.name, tag.manifest_digest)],
    ["Platforms", platformsOf],
    ["Size", (tag) => bytes(tag.size), "number"],
    ["Came", (tag) => time(tag.start_ts)],
    [
      "Attached",
      (tag) =>
        [...new Set([...(attachedTo.get(tag.manifest_digest) ?? []), ...Object.keys(tag.attached ?? {})])].join(", ") ||
        quiet("–")
    ]
  ];
  await load();

  async function readOn(page) {
    const text = search.value.trim();
    const [tags, [attaching]] = await Promise.all([
      readTags(name, text && `like:${text}`, page ? MORE : 1, page),
      readTags(name, DERIVED, ATTACHMENT_PAGES)
    ]);
    attachedTo = attachments(attaching);
    return tags;
  }

  function draw(tags, more) {
    last = [tags, more];
    const visible = tags.filter((tag) => attached.checked || !ATTACHED.test(tag.name));
    fill(shown, count(visible.length, "tag") + (more ? " so far" : ""));
    fill(
      list,
      table(
        "Tags",
        columns,
        visible,
        search.value.trim() ? "No tag has that in its name." : "There are no tags yet. The first sync brings them."
      ),
      more
    );
  }

  async function expand(opener, tag) {
    const row = opener.closest("tr"),
      open = opener.getAttribute("aria-expanded") === "true";
    opener.setAttribute("aria-expanded", String(!open));
    if (open) return row.nextElementSibling.remove();
    const details = h("td", { colspan: columns.length }, hint("Loading…"));
    row.after(h("tr.details", details));
    const unread = (error) => {
      if (error.name === "AbortError") throw error;
      return problem(error, "What is attached could not be read.");
    };
    const attached = person()
      ? counted(tag)
      : await registry(name, "referrers", tag.manifest_digest).then((found) => listed(tag, found), unread);
    const remove =
      repository.state === "NORMAL" &&
      repository.can_write &&
      button(
        "Delete this tag",
        async () => {
          const done = await ask({
            title: `Delete the tag ${tag.name}?`,
            text: "It can be restored from the tag history for a while.",
            lost: [`${tag.name} → ${tag.manifest_digest}`],
            remove: path`repository/${name}/tag/${tag.name}`
          });
          if (done) await load();
        },
        "danger"
      );
    return fill(
      details,
      facts(
        ["Digest", copy(tag.manifest_digest, "the digest")],
        ["Platforms", platformsOf(tag)],
        tag.is_sparse && [
          "Left out by the architecture filter",
          count(tag.child_manifest_count - tag.present_child_count, "image")
        ],
        ["Past", link(toRepository(name, "history", { tag: tag.name }), "Tag history")]
      ),
      h("h2", "Attached"),
      attached,
      h("h2", "Pull"),
      pulls(name, tag.name, tag.manifest_digest),
      remove
    );
  }

  /** How much refers to an image: the registry, which knows more, has not seen who signed in here. */
  function counted({ attached = {} }) {
    return table(
      "Attached",
      [
        ["Type", ([type]) => type],
        ["Number", ([, number]) => number, "number"]
      ],
      Object.entries(attached),
      "Nothing is attached."
    );
  }

  /** What refers to an image. */
  function listed(tag, referrers) {
    return table(
      "Attached",
      [
        ["Type", (it) => it.artifactType ?? it.mediaType],
        ["Digest", (it) => copy(it.digest, "its digest", short(it.digest))],
        ["Size", (it) => bytes(it.size), "number"]
      ],
      referrers?.manifests ?? [],
      attachedTo.has(tag.manifest_digest)
        ? `${attachedTo.get(tag.manifest_digest).join(", ")}, as tags of the repository.`
        : "Nothing is attached."
    );
  }
}
