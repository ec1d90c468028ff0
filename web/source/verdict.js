// A verdict, as showing.as_data() in Python describes it, as elements.

import { element, marked } from "./elements.js";

// `choice(letter)` gives the elements of a choice as the page has set them.
export function shown(verdict, { choice = null } = {}) {
  const parts = [
    element("p", { class: "headline" }, verdict.headline),
    verdict.message ? element("p", {}, ...marked(verdict.message)) : null,
  ];
  if (verdict.call.length) {
    if (verdict.label) {
      parts.push(element("p", {}, `With ${verdict.label}:`));
    }
    parts.push(element("pre", { tabindex: "0" }, verdict.call.join("\n")));
  }
  if (verdict.explanations.length) {
    parts.push(
      element("p", {}, "The other choices:"),
      element(
        "ul",
        { class: "explanations" },
        ...verdict.explanations.map(([text, why]) =>
          element(
            "li",
            {},
            element("div", {}, ...(choice?.(text[0]) ?? marked(text))),
            element("div", {}, ...marked(why)),
          ),
        ),
      ),
    );
  }
  if (verdict.groups.length) {
    parts.push(
      element(
        "ul",
        { class: "groups" },
        ...verdict.groups.map((group) => element("li", {}, group)),
      ),
    );
  }
  return element(
    "div",
    { class: "verdict", "data-status": verdict.status },
    ...parts.filter(Boolean),
  );
}
