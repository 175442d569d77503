// Forms from a list of fields: labels, help, what is wrong where it is wrong, and what was filled in.

import { h, fill } from "./element.js";
import { guard, sleep } from "./screen.js";
import { worded } from "./mirror-fields.js";
import { SIZES, UNITS, both, date, inUnit, iso, toInput } from "./text.js";
import { actions, button, copy, problem } from "./parts.js";

let number = 0;
/** Bytes of a secret that is made here. */
const SECRET = 32;
/** How long somebody who types pauses before something is suggested. */
const PAUSE = 300;

/**
 * A form. A field has a `name`, a `label`, a `kind` (text by default), `help`, and is `required` or not; `pattern` is
 * what it has to be, as `help` says, and `also` what the API calls it besides; one that has to `make` its control
 * does. `group` begins a new group, `more` puts the rest of them behind a disclosure, which is open if `isOpen` says
 * so. `task` gets what was filled in, and its failure is shown; it is done once at a time. `changed` is told of each
 * change, and refuses with false. `danger` is of one that destroys.
 */
export function form(fields, values, { verb = "Save", task, cancel, changed = () => {}, label, danger }) {
  const place = h();
  const controls = new Map();
  const body = h("div.fields");
  let into = body;
  for (const field of fields) {
    if (field.group) {
      const more = field.more
        ? h("details.group", { open: field.isOpen?.(values) }, h("summary", field.group))
        : null;
      into = more ?? h("fieldset", h("legend", field.group));
      body.append(into);
      if (!field.name) continue;
    }
    const control = (field.make ?? controlOf)(field, values[field.name]);
    controls.set(field.name, control);
    into.append(control.element);
  }
  const submit = h("button", { type: "submit", class: danger ? "danger" : "main" }, verb),
    back = cancel && button("Cancel", cancel);
  let isBusy = false;
  const element = h(
    "form",
    { novalidate: "", label: label, onsubmit: send, oninput: update, onchange: update },
    body,
    place,
    actions(submit, back)
  );
  const shape = { element, controls, isDirty, isBusy: () => isBusy, keep, set };
  let kept = JSON.stringify(read());
  update();
  guard(() => element.isConnected && isDirty());
  return shape;

  function read() {
    return Object.fromEntries([...controls].map(([name, control]) => [name, control.get()]));
  }
  function isDirty() {
    return JSON.stringify(read()) !== kept;
  }
  function keep() {
    kept = JSON.stringify(read());
    update();
  }
  function set(name, value) {
    controls.get(name).set(value);
    update();
  }
  function update() {
    const refused = changed(read(), shape) === false,
      isMissing = (field) => field.required && isEmpty(controls.get(field.name).get());
    submit.disabled = isBusy || refused || fields.some(isMissing);
  }
  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    busy(true);
    fill(place);
    for (const control of controls.values()) control.wrong(null);
    try {
      const filled = read(),
        bad = fields.find(
          ({ name, pattern }) => pattern && !controls.get(name).element.hidden && !pattern.test(filled[name])
        );
      if (bad) throw Object.assign(new Error(bad.help), { field: bad.name });
      for (const [field, { bad }] of controls) if (bad?.()) throw Object.assign(new Error(bad()), { field });
      await task(filled, shape);
    } catch (error) {
      if (error.name !== "AbortError") wrong(error);
    }
    busy(false);
  }
  function busy(is) {
    isBusy = is;
    if (back) back.disabled = is;
    update();
  }
  /** Beside the field that the API names; else below all of them. */
  function wrong(error) {
    // Where in the API's body a field is does not matter here.
    const message = error.message.replace(/^(c|eventC)onfig\./, ""),
      names = ({ name, also }) => name && (message.includes(name) || also?.test(message)),
      begins = ({ name }) => message.startsWith(name),
      [first] = fields
        .filter(names)
        .sort((a, b) => begins(b) - begins(a) || b.name.length - a.name.length),
      control = controls.get(error.field) ?? controls.get(first?.name);
    if (control) {
      control.wrong(worded(message), message);
      // What is folded away is not seen, and takes no focus.
      control.element.closest("details")?.setAttribute("open", "");
      control.input.focus();
    } else fill(place, problem(error));
  }
}

const isEmpty = (value) => value === null || value === undefined || value.length === 0 || Number.isNaN(value);

/** The control of a field; `more` are kinds besides. */
export function controlOf(field, value, more = {}) {
  const id = `field-${(number += 1)}`,
    helpId = `${id}-help`,
    wrongId = `${id}-wrong`,
    name = field.kind ?? "text",
    kind = (more[name] ?? KINDS[name])(field, id),
    { input } = kind;
  if (value !== undefined && value !== null) kind.set(value);
  const help = field.help && h("p.help", { id: helpId }, field.help);
  const said = h("p.wrong", { id: wrongId, role: "alert" });
  input.setAttribute("aria-describedby", [help && helpId, wrongId].filter(Boolean).join(" "));
  if (field.required) input.setAttribute("aria-required", "true");
  if (field.name) input.dataset.field = field.name;
  const label = h(
    kind.isGroup ? "div.label" : "label.label",
    { for: kind.isGroup ? null : id },
    field.label,
    field.required && h("span.required", { "aria-hidden": "true" }, " *")
  );
  const element =
    field.kind === "checkbox"
      ? h("div.field.check", input, label, help, said)
      : h(`div.field.${name}`, label, kind.element ?? input, help, said);
  // A list that could not be read is no empty one.
  kind.listed?.catch((error) => error.name === "AbortError" || wrong(error.message));
  return { ...kind, element, wrong };

  function wrong(text) {
    if (!text) kind.clear?.();
    fill(said, text);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

const plain = (input, read = (text) => text.trim(), write = (value) => value) => ({
  input,
  get: () => read(input.value),
  set: (value) => {
    input.value = write(value);
  }
});
const line = (field, id, type, more) =>
  h("input", { id, type, placeholder: field.placeholder, autocomplete: "off", spellcheck: "false", ...more });
const split = (by) => (text) =>
  text
    .split(by)
    .map((part) => part.trim())
    .filter(Boolean);
/** Options of a choice: values, or pairs of a value and its words. */
export const options = (list) =>
  list.map((it) => [it].flat()).map(([value, text = value]) => h("option", { value }, text));

/** What stands for something new in a choice: no name of anything. */
export const NEW = "+";

function amount(all) {
  return (field, id) => {
    const input = line(field, id, "number", { min: 1, step: 1, inputmode: "numeric" });
    const unit = h("select", { label: `${field.label}: unit` }, options(field.units ?? all.map(([name]) => name)));
    const length = () => all.find(([name]) => name === unit.value)[1];
    return {
      input,
      element: h("div.pair", input, unit),
      get: () => (input.value === "" ? null : Math.round(Number(input.value) * length())),
      set: (value) => {
        const it = inUnit(value, all);
        input.value = it.number;
        unit.value = it.unit;
      }
    };
  };
}

const KINDS = {
  text: (field, id) => plain(line(field, id, "text")),
  /** A text, for which the field may `find` what begins so. */
  suggested: (field, id) => {
    const list = h("datalist", { id: `${id}-list` }),
      input = line(field, id, "text", { list: list.id, oninput: suggest });
    async function suggest() {
      const begins = input.value.trim();
      await sleep(PAUSE);
      if (begins && begins === input.value.trim()) fill(list, options(await field.find(begins)));
    }
    return { ...plain(input), element: [input, list] };
  },
  // As it is: a password may begin with a space.
  password: (field, id) => plain(line(field, id, "password", { autocomplete: "new-password" }), (text) => text),
  /** What webhooks are signed with. One that is made here is shown, for whoever has to know it, too. */
  secret: (field, id) => {
    const kind = KINDS.password(field, id),
      shown = h("div", { role: "status" });
    const make = () => {
      kind.set(`whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(SECRET))))}`);
      fill(shown, "It is shown this once:", copy(kind.get(), "the secret"));
    };
    kind.input.oninput = () => fill(shown);
    return { ...kind, element: h("div", kind.input, " ", button("Make a random one", make, "small"), shown) };
  },
  number: (field, id) =>
    plain(line(field, id, "number", { min: field.min ?? 0, step: 1, inputmode: "numeric" }), (text) =>
      text === "" ? null : Number(text)
    ),
  area: (field, id) => plain(h("textarea", { id, rows: 3 })),
  select: (field, id) => plain(h("select", { id }, options(field.options)), (text) => text),
  csv: (field, id) => plain(line(field, id, "text"), split(","), (list) => list.join(", ")),
  lines: (field, id) =>
    plain(h("textarea", { id, rows: 3, placeholder: field.placeholder }), split("\n"), (list) => list.join("\n")),
  checkbox: (field, id) => {
    const input = h("input", { id, type: "checkbox" });
    return {
      input,
      get: () => input.checked,
      set: (value) => {
        input.checked = value;
      }
    };
  },
  /** Seconds, as a number and its unit. */
  duration: amount(UNITS),
  /** Bytes, likewise. */
  size: amount(SIZES),
  /** A time in the reader's zone, with UTC's beside it. */
  datetime: (field, id) => {
    const input = line(field, id, "datetime-local", { oninput: beside, onchange: beside });
    const shown = h("output", { for: id, class: "help" });
    function beside() {
      const at = date(input.value);
      fill(shown, at ? both(at) : "");
    }
    // The input has minutes; a time that was not touched keeps its seconds.
    let given = null;
    return {
      input,
      element: h("div.pair", input, shown),
      get: () => {
        const at = date(input.value);
        return at && given && toInput(given) === input.value ? iso(given) : at && iso(at);
      },
      set: (value) => {
        given = date(value);
        input.value = given ? toInput(given) : "";
        beside();
      }
    };
  },
  /** Several of a few. */
  several: (field, id) => {
    const boxes = field.options.map((name) => h("input", { type: "checkbox", value: name }));
    const element = h(
      "div",
      { id, class: "several", role: "group", label: field.label, tabindex: "-1" },
      boxes.map((box) => h("label", box, box.value))
    );
    return {
      isGroup: true,
      input: element,
      get: () => boxes.filter((box) => box.checked).map((box) => box.value),
      set: (list) => {
        for (const box of boxes) box.checked = list.includes(box.value);
      }
    };
  },
  /** A choice whose options are known later, and may be added to. */
  picker: (field, id) => {
    const input = h("select", { id, onchange: choose }, h("option", { value: "" }, field.none ?? "Choose…"));
    let chosen = "";
    const add = (value) => {
      if ([...input.options].every((option) => option.value !== value))
        input.insertBefore(h("option", { value }, value), input.querySelector(`[value="${NEW}"]`));
    };
    const set = (value) => {
      add(value);
      input.value = chosen = value;
    };
    const listed = field
      .options()
      .then((list) => list.forEach((value) => add(value)))
      .finally(() => field.create && input.append(h("option", { value: NEW }, field.createLabel ?? "Create…")));
    async function choose(event) {
      if (input.value !== NEW) {
        chosen = input.value;
        return;
      }
      event.stopPropagation();
      input.value = chosen;
      const made = await field.create();
      if (made) {
        set(made);
        input.dispatchEvent(new Event("change", { bubbles: true }));
      }
    }
    return { input, listed, get: () => (input.value === NEW ? "" : input.value), set };
  }
};
