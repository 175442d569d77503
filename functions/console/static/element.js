// Builds the page. Text only ever becomes text: nothing here, nor anywhere else, makes markup of a string.

/** What is set on the element itself; all else becomes an attribute. */
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "required", "indeterminate"]);

/**
 * An element: `tag.class`, or a div; attributes, if it has any, and what is in it. Attributes that begin with `on` are listeners;
 * those of custom elements may be any value; a label is for those who hear.
 */
export function h(what = "div", ...children) {
  const [tag, ...classes] = what.split("."),
    element = document.createElement(tag),
    attributes = children[0]?.constructor === Object ? children.shift() : {};
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name) || (tag.includes("-") && name in element)) element[name] = value;
    else if (value !== false) element.setAttribute(name === "label" ? "aria-label" : name, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

/** A paragraph. */
export const p = (...children) => h("p", children);

/** An element of a picture. */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  element.append(...flat(children));
  return element;
}

/** Replaces what an element holds, unless it holds just that text already: live regions speak of changes alone. */
export function fill(element, ...children) {
  const flattened = flat(children);
  if (flattened.length === 1 && typeof flattened[0] === "string" && element.textContent === flattened[0])
    return element;
  element.replaceChildren(...flattened);
  return element;
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** Tells people who do not see the page what has changed. */
export function say(text) {
  const live = document.getElementById("live");
  // The same text again is news, too.
  live.textContent = live.textContent === text ? `${text}\u00a0` : text;
}
