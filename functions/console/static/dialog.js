// Questions that are asked before something is lost, and small forms.

import { call } from "./api.js";
import { h, p, say } from "./element.js";
import { actions, button, small } from "./parts.js";
import { form } from "./form.js";

/** Names of what is lost that a question lists. */
const LISTED = 50;

let number = 0;
const opened = new Set();

/** Whether a dialog waits for an answer that would be lost with it. */
export const isAnswering = () => [...opened].some((dialog) => dialog.isBusy());

export const closeAll = () => opened.forEach((dialog) => dialog.close());

/** Opens a dialog. `done` is what its answer is given to; Escape and Cancel answer with nothing. */
function open(title, content, done, isBusy = () => false) {
  const id = `dialog-${(number += 1)}`;
  const attributes = { "aria-labelledby": id, oncancel: stay, onclose: closed },
    element = h("dialog", attributes, h("h2", { id }, title), content);
  const before = document.activeElement;
  let answer,
    isDone = false;
  const dialog = {
    isBusy,
    close(value) {
      answer = value;
      isDone = true;
      element.close();
    }
  };
  opened.add(dialog);
  document.body.append(element);
  element.showModal();
  return dialog;

  function stay(event) {
    if (isBusy()) event.preventDefault();
  }
  function closed() {
    // Browsers let nobody be kept by a dialog, and close it on the second Escape: it is not over for that.
    if (isBusy() && !isDone) return void element.showModal();
    opened.delete(dialog);
    element.remove();
    if (before?.isConnected) before.focus();
    done(answer);
  }
}

/**
 * A small form in a dialog. `task` gets what was filled in; its answer is the dialog's. `content` is above the form, all
 * else is for it.
 */
export function prompt(title, fields, { content, values = {}, task, ...more }) {
  return new Promise((done) => {
    const shape = form(fields, values, {
      verb: "Create",
      ...more,
      task: async (filled) => dialog.close((await task(filled)) ?? true),
      cancel: () => dialog.close()
    });
    const dialog = open(title, [content, shape.element], done, shape.isBusy);
  });
}

/**
 * Asks before something is destroyed: `lost` names what will be, and `content` is above that. `typed` has to be typed
 * first. `task` is what is done, or `remove` what is deleted; its failure is shown in the dialog. Answers whether it was
 * done.
 */
export async function ask({ title, text, lost = [], typed, verb = "Delete", content, remove, task }) {
  const fields = typed ? [{ name: "typed", label: ["Type ", h("strong", typed), " to go on"], required: true }] : [];
  const listed = lost.slice(0, LISTED).map((name) => h("li", name));
  if (lost.length > LISTED) listed.push(h("li", `and ${lost.length - LISTED} more`));
  const done = await prompt(title, fields, {
    verb,
    danger: true,
    content: [
      content,
      text && p(text),
      listed.length > 0 && h("ul.lost", { tabindex: "0", label: "What will be lost" }, listed)
    ],
    changed: (filled) => filled.typed === typed,
    task: async () => {
      await (task ? task() : call("DELETE", remove));
      say(`${title}: done`);
    }
  });
  return Boolean(done);
}

/** Asks whether to go on: there is nothing else to do. */
export const sure = (title, verb, text, lost) => ask({ title, verb, text, lost, task: async () => {} });

/** A button that asks for what is to be made: `then` gets what came of it. */
export const making = (title, fields, task, then, content) =>
  button(
    title,
    async () => {
      const made = await prompt(title, fields, { task, content });
      if (made) await then(made);
    },
    "main"
  );

/** The button of a row that removes it, after a question; a red one, if that names what is lost. */
export const removal = (name, text, remove, then, verb = "Remove", lost) =>
  small(verb, name, async () => (await ask({ title: `${verb} ${name}?`, text, verb, lost, remove })) && then(), lost);

/** Shows something until it is closed. */
export function show(title, ...content) {
  return new Promise((done) => {
    const dialog = open(title, [h("div", content), actions(button("Close", () => dialog.close()))], done);
  });
}
