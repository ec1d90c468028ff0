// Python for the whole page: one worker, started when it is first needed and
// replaced when it is stuck.

const STATIC = new URL(".", document.currentScript.src);

export class CannotLoad extends Error {}

// Why this page cannot run Python at all, or an empty text.
export function obstacle() {
  if (location.protocol === "file:") {
    return (
      "A page that is opened from a file cannot run Python. Serve the book " +
      "with `nlp-dawn book serve`, or work in the notebook, which " +
      "`nlp-dawn exercises start my-exercises` copies for you."
    );
  }
  if (typeof Worker === "undefined" || typeof WebAssembly === "undefined") {
    return (
      "This browser cannot run Python in a page. Work in the notebook, which " +
      "`nlp-dawn exercises start my-exercises` copies for you."
    );
  }
  return "";
}

let worker = null;
let loaded = null; // a promise of the worker being ready
let line = Promise.resolve(); // one request after the other
let progress = null; // of the loading: {done, total} in bytes
const watchers = new Set();

function start() {
  worker = new Worker(new URL("python/worker.js", STATIC));
  progress = { done: 0, total: 0 };
  loaded = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.progress) {
        progress = data.progress;
        watchers.forEach((watcher) => watcher(progress));
      } else if (data.ready) {
        progress = null;
        document.dispatchEvent(
          new CustomEvent("nlp-dawn-python", { detail: data.ready }),
        );
        resolve();
      } else {
        stop();
        reject(new CannotLoad(data.failed));
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      stop();
      reject(new CannotLoad(event.message || "the worker did not start"));
    };
  });
  loaded.catch(() => {}); // whoever asks is told
}

function stop() {
  worker?.terminate();
  worker = null;
  loaded = null;
}

// Ask the worker: {ask: "check" | "run", id, source, earlier}.
//
// Resolves with {answer} (parsed JSON of page.py), {late: true} after `limit`
// seconds of running, {stopped: true} after signal.abort(), or {died: reason};
// rejects with CannotLoad. `loading(progress)` is called while Python loads,
// and with null when it has.
export function ask(request, { limit, signal, loading }) {
  const turn = line.then(() => one(request, { limit, signal, loading }));
  line = turn.catch(() => {});
  return turn;
}

async function one(request, { limit, signal, loading }) {
  if (signal.aborted) return { stopped: true };
  if (!worker) start();
  const aborted = new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve({ stopped: true }));
  });
  watchers.add(loading);
  let early;
  try {
    if (progress) loading(progress);
    early = await Promise.race([loaded, aborted]);
  } finally {
    watchers.delete(loading);
  }
  if (early) return early; // it goes on loading, for the next time
  loading(null);
  const answered = new Promise((resolve) => {
    worker.onmessage = ({ data }) =>
      resolve("died" in data ? data : { answer: JSON.parse(data.answer) });
    worker.onerror = (event) => {
      event.preventDefault();
      resolve({ died: event.message });
    };
  });
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ late: true }), limit * 1000);
  });
  worker.postMessage(request);
  const outcome = await Promise.race([answered, late, aborted]);
  clearTimeout(timer);
  if (!outcome.answer) {
    stop();
    start(); // so that the next answer need not wait
  }
  return outcome;
}
