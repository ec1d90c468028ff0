// What the reader has written and solved, kept by this browser.
//
// One entry an exercise, so that two open pages do not overwrite each other:
//   {answer, scratch, done, changed}
// `done` and `changed` are times in ISO 8601. Where the browser refuses to
// keep anything, the page's own memory has to do.

const PREFIX = "nlp-dawn:";
const memory = new Map();

function storage() {
  try {
    return window.localStorage;
  } catch {
    return null; // forbidden by the reader's settings
  }
}

// Whether answers outlive the page.
export function lasts() {
  const place = storage();
  if (!place) return false;
  try {
    place.setItem(`${PREFIX}?`, "");
    place.removeItem(`${PREFIX}?`);
    return true;
  } catch {
    return false; // full, or switched off
  }
}

export function read(id) {
  let text = null;
  try {
    text = storage()?.getItem(PREFIX + id) ?? null;
  } catch {
    // Answered from memory below.
  }
  text ??= memory.get(id) ?? null;
  if (text === null) return {};
  try {
    return cleaned(JSON.parse(text));
  } catch {
    return {}; // not ours, or cut off
  }
}

// Keep what only changes; the rest of the entry stays.
export function write(id, changes) {
  const entry = { ...read(id), ...changes };
  const text = JSON.stringify(entry);
  memory.set(id, text);
  try {
    storage()?.setItem(PREFIX + id, text);
  } catch {
    // Full: memory has it as long as the page is open.
  }
}

// Run `changed(id)` when another page of the site changes an entry.
export function watch(changed) {
  window.addEventListener("storage", (event) => {
    if (event.key?.startsWith(PREFIX)) {
      memory.delete(event.key.slice(PREFIX.length));
      changed(event.key.slice(PREFIX.length));
    }
  });
}

// The entry without anything that is not ours; throws if it is none at all.
export function cleaned(entry) {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    throw new TypeError("not an entry");
  }
  const kept = {};
  for (const name of ["answer", "scratch", "done", "changed"]) {
    if (typeof entry[name] === "string") kept[name] = entry[name];
  }
  for (const name of ["done", "changed"]) {
    if (kept[name] && Number.isNaN(Date.parse(kept[name]))) delete kept[name];
  }
  return kept;
}
