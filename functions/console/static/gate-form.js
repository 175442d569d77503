// Fields that are filled in part by part, as those of the gate; as JSON, where they have more than that.

import { GATE, QUESTIONS, blamed, fromParts, idOf, isShown, meaning, toParts } from "./gate.js";
import { actions, button, controlOf, fill, h, options, small } from "./kit.js";

/** The gate's fields, folded away where none of them is set. */
export const gateFields = [
  { group: "The gate", more: true, isOpen: (values) => GATE.some((name) => values[name]) },
  ...QUESTIONS
];

/** Fields of which those that have parts are drawn part by part. */
export const drawn = (fields) => fields.map((it) => (it.parts ? { make: question, ...it } : it));

/** A field of parts: it gives what it was given, as long as that still means what is filled in. */
function question(field, given = null) {
  const { name, label, parts } = field,
    body = h(),
    whole = h("p.wrong", { role: "alert" }),
    as = (json, form = json ? "JSON" : "a form") =>
      button(`As ${form}`, () => turn(json), { class: "small", label: `${label} as ${form}` });
  let shown, isJson, wanted;
  draw(given, given !== null && !isShown(parts, given));
  const seen = meaning(read());
  return {
    element: h("fieldset.field", h("legend", label), h("p.help", field.help), body, whole),
    get input() {
      return wanted ?? shown.input;
    },
    get,
    wrong,
    bad: () => typeof get() === "string" && "This is no object of JSON."
  };

  function draw(value, json) {
    isJson = json;
    const text = value === null ? "" : JSON.stringify(value, null, 2);
    const help = "It is sent as it is here. Empty: not asked.";
    shown = json
      ? controlOf({ name: `${name}-json`, label: `${label}, as JSON`, kind: "area", help }, text)
      : partsOf(parts, toParts(parts, value ?? {}), name);
    fill(body, shown.element, !field.plain && actions(as(!json)));
  }
  function turn(json) {
    const value = get();
    if (!json && value !== null && !isShown(parts, value)) return shown.wrong("It has more than the form can show.");
    draw(value, json);
    shown.input.focus();
  }
  function read() {
    if (isJson) {
      const text = shown.get();
      try {
        return text ? JSON.parse(text) : null;
      } catch {
        return text;
      }
    }
    const value = fromParts(parts, shown.get());
    return Object.keys(value).length ? value : null;
  }
  function get() {
    const now = read();
    return meaning(now) === seen ? given : now;
  }
  function wrong(text, message) {
    wanted = null;
    shown.wrong(null);
    fill(whole, null);
    if (!text) return;
    const [path, said] = blamed(name, message);
    if (isJson || !path) fill(whole, isJson ? text : said);
    else wanted = shown.blame(path.split("."), said);
  }
}

/** Controls of the parts of something. What some say decides which others are shown. */
function partsOf(parts, filled, prefix) {
  const all = parts.map((part) => {
    const id = idOf(part);
    return [part, controlOf({ ...part, name: `${prefix}-${id}` }, filled[id], OWN)];
  });
  const element = h("div", { oninput: show, onchange: show }, all.map(([, it]) => it.element));
  show();
  return {
    element,
    input: all[0][1].input,
    get,
    wrong: (text) => all.forEach(([, it]) => it.wrong(text)),
    blame
  };

  function get() {
    return Object.fromEntries(all.map(([part, it]) => [idOf(part), it.get()]));
  }
  function show() {
    const now = get();
    for (const [{ when }, it] of all) it.element.hidden = Boolean(when && !when(now));
  }
  /** Says what is wrong where the path leads; what is to be looked at is the answer. */
  function blame(path, text) {
    const near = ([part, it]) => (it.element.hidden || !part.path ? -1 : common(part.path.split("."), path)),
      [part, control] = all.toSorted((a, b) => near(b) - near(a))[0];
    const inside = control.blame?.(path.slice(part.path.split(".").length), text);
    if (!inside) control.wrong(text);
    return inside ?? control.input;
  }
}

/** How far two paths are the same. */
function common(path, other) {
  const end = path.findIndex((it, index) => it !== other[index] && `${it}_regex` !== other[index]);
  return end < 0 ? path.length : end;
}

const OWN = {
  /** A text, or an expression for it. */
  either: (field, id) => {
    const input = h("input", { id, autocomplete: "off", spellcheck: "false" }),
      how = h(
        "select",
        { label: `${field.label}: how` },
        options([
          ["", "is"],
          ["_regex", "matches"]
        ])
      );
    return {
      input,
      element: h("div.pair", how, input),
      get: () => [how.value, input.value.trim()],
      set: ([end, text = ""]) => {
        how.value = text ? end : "";
        input.value = text;
      }
    };
  },
  /** As many as there are. */
  rows: (field, id) => {
    const list = h("div", { id, role: "group", label: field.label, tabindex: "-1" }),
      add = button(field.add, () => changed(append({}))),
      element = h("div", list, add);
    let rows = [],
      number = 0;
    return {
      isGroup: true,
      input: list,
      element,
      get: () => rows.map((it) => it.get()),
      set: (all) => all.forEach(append),
      clear: () => rows.forEach((it) => it.wrong(null)),
      blame: ([index, ...path], text) => rows[index]?.blame(path, text)
    };

    function append(filled) {
      const row = partsOf(field.parts, filled, `${field.name}-${number}`),
        name = `${field.row} ${(number += 1)}`;
      const remove = small("Remove", name, drop),
        box = h("fieldset.row", h("legend", name), row.element, remove);
      rows.push(row);
      list.append(box);
      return row.input;

      function drop() {
        rows = rows.filter((it) => it !== row);
        box.remove();
        changed(add);
      }
    }
    function changed(next) {
      list.dispatchEvent(new Event("change", { bubbles: true }));
      next.focus();
    }
  }
};
