// Small pieces of the page.

// element("p", {class: "note"}, "text", child, ...)
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function button(text, action, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", action);
  return made;
}

// Text in which backticks mark code, as nodes.
export function marked(text) {
  return text
    .split(/`([^`]*)`/)
    .map((part, k) => (k % 2 ? element("code", {}, part) : part));
}
