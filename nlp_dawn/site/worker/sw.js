// Keeps what the reader has visited, so that it can be read without a network.
//
// With a network, everything comes from there and what is kept is renewed.
// Only files that never change under their name (Python for the browser) are
// taken from here first. The build fills in the first three constants; so this
// file is another one after every change of the book, and a browser that finds
// it so has it fetch anew what was visited.

"use strict";

const VERSION = "{version}"; // nobody reads it: it is there to differ
const NAME_WITH_VERSION = new RegExp({pattern});
const FIXED = new Set({fixed});

const ROOT = self.registration.scope;
const PREFIX = `nlp_dawn ${ROOT} `;
const PAGES = `${PREFIX}pages`;
const NEVER_CHANGING = `${PREFIX}fixed`;
const OFFLINE = new URL("offline.html", ROOT).href;
const PATIENCE = 5000; // milliseconds, then what is kept will do

// What is asked for after "?" or "#" is answered in the page.
function key(address) {
  const url = new URL(address);
  url.search = url.hash = "";
  return url.href;
}

const isOurs = (address) => key(address).startsWith(ROOT);
const place = (address) => key(address).slice(ROOT.length);
const isFixed = (address) => NAME_WITH_VERSION.test(place(address));
const isWhole = ({ ok, status, type, redirected }) =>
  ok && status === 200 && type === "basic" && !redirected;

async function put(name, address, response) {
  if (!isWhole(response)) return;
  try {
    const cache = await caches.open(name);
    await cache.put(key(address), response);
  } catch {
    // No room: the page is shown and not kept.
  }
}

async function renew(address, cache = "no-cache") {
  const response = await fetch(key(address), { cache });
  await put(PAGES, address, response.clone());
  return response;
}

// A new build: the pages of the last one are replaced, and those that are no
// more are forgotten. The worker before this one uses the same cache, so it
// does not matter which of them answers.
async function install() {
  await renew(OFFLINE);
  const cache = await caches.open(PAGES);
  const visited = (await cache.keys()).map(({ url }) => url);
  await Promise.allSettled(
    [key(ROOT), ...visited].map(async (url) => {
      const response = await renew(url);
      if (response.status === 404) await cache.delete(url);
    }),
  );
}

async function activate() {
  const cache = await caches.open(NEVER_CHANGING);
  for (const request of await cache.keys()) {
    if (!FIXED.has(place(request.url))) await cache.delete(request);
  }
  await self.clients.claim();
}

async function keep(addresses) {
  const cache = await caches.open(PAGES);
  const missing = [];
  for (const address of new Set(addresses.filter(isOurs).map(key))) {
    if (!isFixed(address) && !(await cache.match(address))) {
      missing.push(address);
    }
  }
  // The browser has just had them.
  await Promise.allSettled(
    missing.map((address) => renew(address, "force-cache")),
  );
}

async function answerFixed(event) {
  const { request } = event;
  const cache = await caches.open(NEVER_CHANGING);
  const kept = await cache.match(key(request.url));
  if (kept) return kept;
  const response = await fetch(request);
  event.waitUntil(put(NEVER_CHANGING, request.url, response.clone()));
  return response;
}

async function answer(event) {
  const { request } = event;
  const kept = await caches
    .open(PAGES)
    .then((cache) => cache.match(key(request.url)))
    .catch(() => undefined);
  const network = fetch(request);
  event.waitUntil(
    network.then(
      (response) => put(PAGES, request.url, response.clone()),
      () => {},
    ),
  );
  if (!kept) {
    return network.catch(async (error) => {
      const sorry = request.mode === "navigate" && (await caches.match(OFFLINE));
      if (sorry) return sorry;
      throw error;
    });
  }
  const patience = new Promise((resolve) => {
    setTimeout(resolve, PATIENCE, kept);
  });
  return Promise.race([network.catch(() => kept), patience]);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));

self.addEventListener("message", (event) => {
  const { keep: addresses } = event.data ?? {};
  if (!Array.isArray(addresses)) return;
  event.waitUntil(
    keep(addresses).then(() => event.ports[0]?.postMessage("kept")),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || request.headers.has("range")) return;
  if (!isOurs(request.url)) return;
  event.respondWith(
    isFixed(request.url) ? answerFixed(event) : answer(event),
  );
});
