// Questions that are asked before something is lost, and small forms.

import { call } from "./api.js";
import { fill, h, p, say } from "./element.js";
import { problem } from "./parts.js";
import { form } from "./form.js";

let number = 0;

/** Opens a dialog. `done` is what its answer is given to; Escape and Cancel answer with nothing. */
function open(title, content, done) {
  const id = `dialog-${(number += 1)}`;
  const element = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), content);
  const before = document.activeElement;
  let answer;
  element.addEventListener("close", () => {
    element.remove();
    if (before?.isConnected) before.focus();
    done(answer);
  });
  document.body.append(element);
  element.showModal();
  return {
    element,
    close: (value) => {
      answer = value;
      element.close();
    }
  };
}

/**
 * Asks before something is destroyed: `lost` names what will be. `typed` has to be typed first. `task` is what is done, or `remove` what is deleted;
 * its failure is shown in the dialog. Answers whether it was done.
 */
export function ask({ title, text, lost = [], typed, verb = "Delete", remove, task = () => call("DELETE", remove) }) {
  return new Promise((done) => {
    const place = h("div");
    const input =
      typed && h("input", { type: "text", id: "typed", autocomplete: "off", spellcheck: "false", oninput: check });
    const act = h("button", { type: "submit", class: "danger", disabled: Boolean(typed) }, verb);
    const listed = lost.slice(0, 50);
    const body = h(
      "form",
      { onsubmit: submit },
      text && p(text),
      listed.length
        ? h(
            "ul",
            { class: "lost", tabindex: "0", label: "What will be lost" },
            listed.map((name) => h("li", {}, name)),
            lost.length > listed.length && h("li", {}, `and ${lost.length - listed.length} more`)
          )
        : null,
      typed && p(h("label", { for: "typed" }, "Type ", h("strong", {}, typed), " to go on"), input),
      place,
      h("div", { class: "actions" }, act, h("button", { type: "button", onclick: () => dialog.close(false) }, "Cancel"))
    );
    const dialog = open(title, body, (answer) => done(Boolean(answer)));

    function check() {
      act.disabled = input.value !== typed;
    }
    async function submit(event) {
      event.preventDefault();
      if (act.disabled) return;
      act.disabled = true;
      try {
        await task();
        say(`${title}: done`);
        dialog.close(true);
      } catch (error) {
        fill(place, problem(error));
        act.disabled = false;
      }
    }
  });
}

/** A small form in a dialog. `task` gets what was filled in; its answer is the dialog's. */
export function prompt(title, fields, { text, verb = "Create", values = {}, task }) {
  return new Promise((done) => {
    const shape = form(fields, values, {
      verb,
      task: async (filled) => dialog.close((await task(filled)) ?? true),
      cancel: () => dialog.close()
    });
    const dialog = open(title, [text && p(text), shape.element], done);
  });
}

/** Shows something until it is closed. */
export function show(title, ...content) {
  return new Promise((done) => {
    const dialog = open(
      title,
      [
        h("div", {}, content),
        h("div", { class: "actions" }, h("button", { type: "button", onclick: () => dialog.close() }, "Close"))
      ],
      done
    );
  });
}
