// The page that shows how far the reader is, and takes it elsewhere.

import { element } from "./elements.js";
import * as store from "./store.js";

const FORMAT = 1;

export function showProgress(place) {
  const all = JSON.parse(
    place.querySelector("script.exercise-list").textContent,
  );
  const marks = new Map(
    all.map(({ id, label }) => {
      const link = document.querySelector(`td a[href$="#${label}"]`);
      const mark = element("span", { class: "done-mark" });
      link.after(mark);
      return [id, mark];
    }),
  );
  const [sum, meter, next, said, file] = [
    ".progress-sum",
    "progress",
    ".progress-next",
    "[role=status]",
    "input[type=file]",
  ].map((part) => place.querySelector(part));
  const on = (name, action) =>
    place
      .querySelector(`[data-does="${name}"]`)
      .addEventListener("click", action);
  on("save", () => save(all, said));
  on("load", () => file.click());
  if (!store.lasts()) {
    said.textContent =
      "This browser does not keep what you write here; save it to a file.";
  }
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    said.textContent = take(all, await chosen.text(), chosen.name);
    show();
  });

  function show() {
    const entries = new Map(all.map(({ id }) => [id, store.read(id)]));
    const open = all.filter(({ id }) => !entries.get(id).done);
    for (const { id } of all) {
      const entry = entries.get(id);
      const begun = entry.answer !== undefined;
      marks.get(id).textContent = entry.done
        ? " ✓ done"
        : begun
          ? " … begun"
          : "";
    }
    const done = all.length - open.length;
    const minutes = open.reduce((total, one) => total + one.minutes, 0);
    meter.value = done;
    meter.textContent = `${done} of ${all.length}`;
    sum.textContent =
      `${done} of ${all.length} exercises done` +
      (open.length ? `; about ${hours(minutes)} are left.` : ". That is all!");
    const one = following(all, entries);
    next.replaceChildren();
    if (one) {
      next.append(
        done || [...entries.values()].some((entry) => entry.changed)
          ? "Resume here: "
          : "Begin here: ",
        element("a", { href: one.href }, one.title),
        ` (difficulty ${one.difficulty} of 3, ${one.minutes} min)`,
      );
    }
  }

  show();
  place.dataset.ready = "";
  store.watch(show);
  // The reader may come back with the browser's button.
  window.addEventListener("pageshow", show);
}

// The exercise to go on with: the one touched last, or the next open one.
function following(all, entries) {
  let last = -1;
  let when = "";
  all.forEach(({ id }, k) => {
    const { changed } = entries.get(id);
    if (changed && changed > when) [last, when] = [k, changed];
  });
  const start = Math.max(last, 0);
  return [...all.slice(start), ...all.slice(0, start)].find(
    ({ id }) => !entries.get(id).done,
  );
}

function hours(minutes) {
  return minutes < 90 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}

function save(all, said) {
  const exercises = Object.fromEntries(
    all
      .map(({ id }) => [id, store.read(id)])
      .filter(([, entry]) => Object.keys(entry).length),
  );
  const text = JSON.stringify({ format: FORMAT, exercises }, null, 1);
  const address = URL.createObjectURL(
    new Blob([text], { type: "application/json" }),
  );
  const link = element("a", {
    href: address,
    download: "nlp_dawn-progress.json",
  });
  document.body.append(link);
  link.click();
  link.remove();
  URL.revokeObjectURL(address);
  const many = Object.keys(exercises).length;
  said.textContent = `Saved ${many} ${many === 1 ? "answer" : "answers"}.`;
}

// Take the entries of a saved file; of two answers, the one changed later
// stays, and what is done stays done. Returns a sentence about it.
function take(all, text, name) {
  let saved;
  try {
    saved = JSON.parse(text);
  } catch {
    return `${name} is not a saved file: it is not JSON. Nothing has changed.`;
  }
  if (saved?.format !== FORMAT || typeof saved.exercises !== "object") {
    return (
      `${name} is not a file saved on this page (format ${FORMAT}). ` +
      "Nothing has changed."
    );
  }
  let taken = 0;
  let kept = 0;
  let strange = 0;
  const known = new Set(all.map(({ id }) => id));
  for (const [id, raw] of Object.entries(saved.exercises ?? {})) {
    let theirs;
    try {
      theirs = store.cleaned(raw);
    } catch {
      strange += 1;
      continue;
    }
    if (!known.has(id)) {
      strange += 1;
      continue;
    }
    const mine = store.read(id);
    if ((mine.changed ?? "") > (theirs.changed ?? "")) {
      if (theirs.done && !mine.done) store.write(id, { done: theirs.done });
      kept += 1;
    } else {
      store.write(id, { ...theirs, done: theirs.done ?? mine.done });
      taken += 1;
    }
  }
  const parts = [`${taken} taken from ${name}`];
  if (kept) parts.push(`${kept} left as they are, because yours are newer`);
  if (strange) parts.push(`${strange} passed over, which this book has not`);
  return `${parts.join("; ")}.`;
}
