// Forms from a list of fields: labels, help, what is wrong where it is wrong, and what was filled in.

import { h, fill } from "./element.js";
import { UNITS, both, date, inUnit, iso, toInput } from "./text.js";
import { problem } from "./parts.js";

let number = 0;

/**
 * A form. A field has a `name`, a `label`, a `kind` (text by default), `help`, and is `required` or not; `group` begins a
 * new group, `more` puts the rest of them behind a disclosure. `task` gets what was filled in, and its failure is shown.
 * `changed` is told of each change, and refuses with false.
 */
export function form(fields, values, { verb = "Save", task, cancel, changed = () => {}, label }) {
  const place = h("div");
  const controls = new Map();
  const body = h("div", { class: "fields" });
  let into = body;
  for (const field of fields) {
    if (field.group) {
      const more = field.more ? h("details", { class: "group" }, h("summary", {}, field.group)) : null;
      into = more ?? h("fieldset", {}, h("legend", {}, field.group));
      body.append(into);
      if (!field.name) continue;
    }
    const control = controlOf(field, values[field.name]);
    controls.set(field.name, control);
    into.append(control.element);
  }
  const submit = h("button", { type: "submit", class: "main" }, verb);
  const element = h(
    "form",
    { novalidate: "", label: label, onsubmit: send, oninput: update, onchange: update },
    body,
    place,
    h("div", { class: "actions" }, submit, cancel && h("button", { type: "button", onclick: cancel }, "Cancel"))
  );
  const shape = { element, controls, read, submit, place, isDirty, keep, set };
  let kept = JSON.stringify(read());
  update();
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
    const refused = changed(read(), shape) === false;
    submit.disabled = refused || fields.some((field) => field.required && isEmpty(controls.get(field.name).get()));
  }
  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    fill(place);
    for (const control of controls.values()) control.wrong(null);
    try {
      await task(read(), shape);
    } catch (error) {
      if (error.name !== "AbortError") wrong(error);
    }
    update();
  }
  /** Beside the field that the API names; else below all of them. */
  function wrong(error) {
    const named = [...controls]
      .filter(([name]) => error.message.includes(name))
      .sort((a, b) => b[0].length - a[0].length)[0];
    if (named) {
      named[1].wrong(error.message);
      named[1].input.focus();
    } else fill(place, problem(error));
  }
}

const isEmpty = (value) =>
  value === null ||
  value === undefined ||
  value === "" ||
  (Array.isArray(value) && !value.length) ||
  Number.isNaN(value);

function controlOf(field, value) {
  const id = `field-${(number += 1)}`,
    helpId = `${id}-help`,
    wrongId = `${id}-wrong`;
  const kind = KINDS[field.kind ?? "text"](field, id);
  if (value !== undefined && value !== null) kind.set(value);
  const help = field.help ? h("p", { class: "help", id: helpId }, field.help) : null;
  const said = h("p", { class: "wrong", id: wrongId, role: "alert" });
  kind.input.setAttribute("aria-describedby", [help && helpId, wrongId].filter(Boolean).join(" "));
  if (field.required) kind.input.setAttribute("aria-required", "true");
  if (field.name) kind.input.dataset.field = field.name;
  const name = h(
    field.kind === "several" ? "div" : "label",
    { class: "label", for: field.kind === "several" ? null : id },
    field.label,
    field.required && h("span", { class: "required", "aria-hidden": "true" }, " *")
  );
  const element =
    field.kind === "checkbox"
      ? h("div", { class: "field check" }, kind.element, name, help, said)
      : h("div", { class: `field ${field.kind ?? "text"}` }, name, kind.element, help, said);
  return {
    ...kind,
    element,
    wrong(text) {
      fill(said, text);
      if (text) kind.input.setAttribute("aria-invalid", "true");
      else kind.input.removeAttribute("aria-invalid");
    }
  };
}

const plain = (input, read = (text) => text.trim()) => ({
  input,
  element: input,
  get: () => read(input.value),
  set: (value) => {
    input.value = value;
  }
});
const line = (field, id, type, more) =>
  h("input", { id, type, placeholder: field.placeholder, autocomplete: "off", spellcheck: "false", ...more });
const options = (list) =>
  list.map((option) =>
    Array.isArray(option) ? h("option", { value: option[0] }, option[1]) : h("option", { value: option }, option)
  );

const KINDS = {
  text: (field, id) => plain(line(field, id, "text")),
  // As it is: a password may begin with a space.
  password: (field, id) => plain(line(field, id, "password", { autocomplete: "new-password" }), (text) => text),
  number: (field, id) =>
    plain(line(field, id, "number", { min: field.min ?? 0, step: 1, inputmode: "numeric" }), (text) =>
      text === "" ? null : Number(text)
    ),
  area: (field, id) => plain(h("textarea", { id, rows: 3 })),
  select: (field, id) => plain(h("select", { id }, options(field.options)), (text) => text),
  csv: (field, id) => {
    const input = line(field, id, "text");
    const get = () =>
      input.value
        .split(",")
        .map((part) => part.trim())
        .filter(Boolean);
    return {
      input,
      element: input,
      get,
      set: (list) => {
        input.value = list.join(", ");
      }
    };
  },
  checkbox: (field, id) => {
    const input = h("input", { id, type: "checkbox" });
    return {
      input,
      element: input,
      get: () => input.checked,
      set: (value) => {
        input.checked = value;
      }
    };
  },
  /** Seconds, as a number and its unit. */
  duration: (field, id) => {
    const input = line(field, id, "number", { min: 1, step: 1, inputmode: "numeric" });
    const unit = h("select", { label: `${field.label}: unit` }, options(field.units ?? UNITS.map(([name]) => name)));
    const element = h("div", { class: "pair" }, input, unit);
    const length = () => UNITS.find(([name]) => name === unit.value)[1];
    return {
      input,
      element,
      get: () => (input.value === "" ? null : Math.round(Number(input.value) * length())),
      set: (seconds) => {
        const it = inUnit(seconds);
        input.value = it.number;
        unit.value = it.unit;
      }
    };
  },
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
      element: h("div", { class: "pair" }, input, shown),
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
      boxes.map((box) => h("label", {}, box, box.value))
    );
    return {
      input: element,
      element,
      get: () => boxes.filter((box) => box.checked).map((box) => box.value),
      set: (list) => {
        for (const box of boxes) box.checked = list.includes(box.value);
      }
    };
  },
  /** A choice whose options are known later, and may be added to. */
  picker: (field, id) => {
    const input = h("select", { id, onchange: choose }, h("option", { value: "" }, "Choose…"));
    let chosen = "";
    const set = (value) => {
      if (value && ![...input.options].some((option) => option.value === value))
        input.insertBefore(
          h("option", { value }, value),
          input.lastElementChild.value === "\n" ? input.lastElementChild : null
        );
      input.value = value;
      chosen = value;
    };
    Promise.resolve(field.options())
      .then((list) => {
        const was = input.value;
        for (const value of list)
          if (![...input.options].some((option) => option.value === value)) input.append(h("option", { value }, value));
        if (field.create) input.append(h("option", { value: "\n" }, field.createLabel ?? "Create…"));
        set(was);
      })
      .catch(() => {});
    async function choose(event) {
      if (input.value !== "\n") {
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
    return { input, element: input, get: () => (input.value === "\n" ? "" : input.value), set };
  }
};
