// What repeats on many screens, as custom elements and small functions.

import { h, p, svg, fill, say } from "./element.js";
import { worded } from "./mirror-fields.js";
import { subject } from "./session.js";
import { WARNINGS, WORDS, ago, both, date, digits, short } from "./text.js";

/** A time: how long ago, and when. */
class Time extends HTMLElement {
  #at = null;
  set at(value) {
    this.#at = date(value);
    this.draw();
  }
  set none(text) {
    this.setAttribute("none", text);
    this.draw();
  }
  draw() {
    if (!this.#at) return fill(this, quiet(this.getAttribute("none") ?? "never"));
    const when = both(this.#at);
    const element = this.firstElementChild?.firstElementChild;
    // Every half minute only the words change.
    if (element && this.shown === when) return fill(element, ago(this.#at));
    this.shown = when;
    return fill(
      this,
      h("time", { datetime: this.#at.toISOString() }, h("span", ago(this.#at)), " ", h("small", when))
    );
  }
}
customElements.define("m-time", Time);
setInterval(() => {
  for (const element of document.querySelectorAll("m-time")) element.draw();
}, 30000);

/** A state in words, with a mark and a colour. */
class State extends HTMLElement {
  set of(state) {
    const [text, tone] = WORDS[state] ?? [state, "quiet"];
    this.className = tone;
    fill(this, h("i", { "aria-hidden": "true" }), this.getAttribute("text") ?? text);
  }
  set text(text) {
    this.setAttribute("text", text);
  }
}
customElements.define("m-state", State);

/** The last runs as bars, the oldest first. Failed ones are higher, so that colour is not all that tells. */
class Runs extends HTMLElement {
  set of(runs) {
    if (!runs?.length) return void fill(this, quiet("none yet"));
    const shapes = { SUCCESS: "", FAIL: "", CANCEL: "", none: "" };
    for (let index = 0; index < 30 - runs.length; index += 1) shapes.none += `M${index * 4} 17h3v2h-3z`;
    runs.forEach((run, index) => {
      const high = run === "FAIL" ? 18 : run === "CANCEL" ? 10 : 7;
      if (run in shapes) shapes[run] += `M${(30 - runs.length + index) * 4} ${19 - high}h3v${high}h-3z`;
    });
    const failed = runs.filter((run) => run === "FAIL").length;
    const text = `Last ${runs.length} runs: ${failed ? `${failed} failed` : "none failed"}; the latest ${
      { SUCCESS: "succeeded", FAIL: "failed", CANCEL: "was cancelled" }[runs.at(-1)] ?? "goes on"
    }`;
    const lines = Object.entries(shapes)
      .filter(([, d]) => d)
      .map(([run, d]) => svg("path", { class: run.toLowerCase(), d }));
    fill(this, svg("svg", { viewBox: "0 0 120 20", role: "img", "aria-label": text }, lines));
  }
}
customElements.define("m-runs", Runs);

/** Text to copy, with its button. `hidden-text` shows dots in place of it. */
class Copy extends HTMLElement {
  set text(text) {
    this.content = text;
    const copy = button("Copy", () => this.copy(copy), {
      class: "small",
      label: `Copy ${this.getAttribute("name") ?? "this"}`
    });
    fill(this, h("code", this.getAttribute("shown") ?? text), copy);
  }
  set shown(text) {
    this.setAttribute("shown", text);
  }
  set name(text) {
    this.setAttribute("name", text);
  }
  async copy(button) {
    try {
      await navigator.clipboard.writeText(this.content);
      fill(button, "Copied");
      say("Copied");
      setTimeout(() => fill(button, "Copy"), 2000);
    } catch {
      // Without https there is no clipboard: the text is selected instead, all of it, and not what stands for it.
      fill(this.firstElementChild, this.content);
      getSelection().selectAllChildren(this.firstElementChild);
      say("Selected: copy it with your keyboard");
    }
  }
}
customElements.define("m-copy", Copy);

export const time = (at, more) => h("m-time", { ...more, at: at ?? "" });
export const state = (of, text) => h("m-state", { text, of });
export const runs = (of) => h("m-runs", { of });
export const copy = (text, name, shown) => h("m-copy", { name, shown, text });
/** The digest of something, in short; nothing if it has none. */
export const digestOf = (name, digest) => digest && copy(digest, `the digest of ${name}`, short(digest));

/** A table of these columns, but for those that are none: each a heading, and what a row has there. */
export function table(caption, columns, rows, empty = "There are none.") {
  if (!rows.length) return h("p.empty", empty);
  columns = columns.filter(Boolean);
  return framed(columns, { label: caption }, h("tbody", rows.map((row) => line(columns, row))));
}

/** A table with a height of its own, in which people scroll. */
export const tall = (label, ...of) => h("div.tall", { tabindex: "0", role: "region", label }, table(label, ...of));

/** Such a table around rows that are somebody else's to make. */
export const framed = (columns, attributes, body) =>
  h(
    "div.scroll",
    h(
      "table",
      attributes,
      h("thead", h("tr", columns.map(([name, , kind]) => h("th", { scope: "col", class: kind }, name)))),
      body
    )
  );

/** A row of such a table. */
export function line(columns, row) {
  return h(
    "tr",
    columns.map(([name, cell, kind], index) => {
      const holds = cell(row);
      return index === 0
        ? h("th", { scope: "row", class: kind, "data-label": name }, holds)
        : h("td", { class: kind, "data-label": name }, holds);
    })
  );
}

/** Names and what they are. */
export const facts = (...pairs) =>
  h(
    "dl.facts",
    pairs.filter(Boolean).map(([name, value]) => h("div", h("dt", name), h("dd", value)))
  );

/**
 * A screen of tabs: links, of which one is where we are. `above` and `title` are before them. Gives where its content goes, and what is told which tabs are shown, draws their links, and answers
 * whether this one is among them; `who` are those who see all.
 */
export function tabbed(view, label, above, title, { name, tab }, to, who) {
  const content = h(),
    links = h("nav.tabs", { label });
  fill(view, h("p.trail", above, " /"), heading(title), links, content);
  return [content, draw];

  function draw(shown) {
    const may = shown.includes(tab);
    fill(
      links,
      shown.map((it) => h("a", { href: to(name, it), "aria-current": it === tab ? "page" : undefined }, titled(it)))
    );
    fill(content, !may && denied(`see the ${tab} of ${name}`, who));
    return may;
  }
}

const titled = (name) => (name === "history" ? "Tag history" : name[0].toUpperCase() + name.slice(1));

/** A link. */
export const link = (href, ...text) => h("a", { href }, text);
/** Words that matter less. */
export const quiet = (...words) => h("span.quiet", words);
/** Where people type what a list is searched for. */
export const searchField = (label, more) => h("input", { type: "search", label, placeholder: label, ...more });
/** What a list is searched and filtered by, in a row. */
export const filters = (...fields) => h("div.filters", fields);
/** Buttons in a row. */
export const actions = (...buttons) => h("div.actions", buttons);
/** A button. What else it has is its class, or its attributes. */
export const button = (text, onclick, more) =>
  h("button", { type: "button", onclick, ...(typeof more === "string" ? { class: more } : more) }, text);

/** A button of a row, which those who hear are told apart by the row's name. */
export const small = (text, name, onclick, danger) =>
  button(text, onclick, { class: danger ? "small danger" : "small", label: `${text} ${name}` });

/** An error where it belongs, in the API's words. */
export const problem = (error, before) =>
  h("div.problem", { role: "alert" }, before && h("strong", before, " "), error.message);

/** What shows an error in a place; that a screen was left is none. */
export const shows = (place) => (error) => {
  if (error && error.name !== "AbortError") fill(place, problem(error));
};

/** Says that what is shown may be old, until it works again. */
export const outdated = (place) => (error) => fill(place, error && problem(error, "This may be out of date."));

/** A paragraph that matters less. */
export const hint = (...words) => h("p.quiet", words);

/** What somebody can do about it. */
export const advises = (text, ...more) => p(h("b", "What to do: "), worded(text), more);

/** That a token may not do something, and who can. */
export const denied = (what, who) => notice(p(`${subject()} may not ${what}. Administrators of ${who} can.`));

/** How many there are of each; `bad` is what should be none. */
export const tally = (pairs, bad) =>
  h(
    "ul.counts",
    pairs
      .filter(([number]) => number)
      .map(([number, text]) => h("li", { class: bad.includes(text) ? "late" : undefined }, `${digits(number)} ${text}`))
  );

/** A warning of a mirror or a run, and what can be done about it. */
export const warned = ({ reason, message }, ...more) =>
  notice(p(h("strong", WARNINGS[reason] ?? reason, ": "), worded(message)), more);

/** Something to be known before anything is done. */
export const notice = (...content) => h("div.notice", content);

/** A box with a heading. */
export const box = (title, ...content) => h("section.box", title && h("h2", title), content);

/** A heading of the page, with what can be done there. */
export const heading = (title, ...buttons) =>
  h("div.heading", h("h1", { tabindex: "-1" }, title), buttons.length ? actions(buttons) : null);

/** A button whose `task` takes a while, and whose failure is shown in `place`. */
export const acting = (text, place, task, more) =>
  button(text, (event) => doing(event.currentTarget, place, task), more);

/** Runs what a button asks for, which is off meanwhile; what fails is shown in `place`. */
export async function doing(button, place, task) {
  button.disabled = true;
  fill(place);
  try {
    return await task();
  } catch (error) {
    shows(place)(error);
  } finally {
    button.disabled = false;
    if (document.activeElement === document.body) button.focus();
  }
}
