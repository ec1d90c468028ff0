// Python for the browser, beside the page: it loads Pyodide, NumPy and the
// part of nlp_dawn that checks answers, and then answers one request at a time.

"use strict";

const HERE = new URL(".", self.location.href);
let engine = null;

// The bytes of a response are counted as they come.
let done = 0;
let total = 0;
const fetched = self.fetch.bind(self);

async function counted(...request) {
  const response = await fetched(...request);
  if (!response.ok || !response.body) return response;
  const counter = new TransformStream({
    transform(chunk, controller) {
      done += chunk.byteLength;
      self.postMessage({ progress: { done: Math.min(done, total), total } });
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter), {
    status: response.status,
    headers: response.headers,
  });
}

async function bytes(address) {
  const response = await self.fetch(address);
  if (!response.ok) {
    throw new Error(`${address} answers with ${response.status}`);
  }
  return response.arrayBuffer();
}

// The first host that has the file wins.
async function fromOneOf(hosts, file) {
  const reasons = [];
  for (const host of hosts) {
    const address = new URL(file, new URL(host, HERE));
    try {
      return await bytes(address);
    } catch (error) {
      reasons.push(`${address.href}: ${error.message}`);
    }
  }
  throw new Error(reasons.join("; ") || `no host of ${file} is named`);
}

async function load() {
  const began = performance.now();
  const description = await fetched(new URL("files.json", HERE));
  if (!description.ok) throw new Error("python/files.json is missing");
  const files = await description.json();
  total = files.bytes;
  self.fetch = counted;
  self.postMessage({ progress: { done, total } });
  const numpy = fromOneOf(files.numpy.hosts, files.numpy.file);
  const ours = bytes(new URL(files.package, HERE));
  const core = new URL(files.pyodide, HERE);
  // Awaited below; until then a failure is nobody's.
  for (const promise of [numpy, ours]) promise.catch(() => {});
  self.importScripts(new URL("pyodide.js", core));
  const python = await self.loadPyodide({ indexURL: core.href });
  const [wheel, code] = await Promise.all([numpy, ours]);
  const hashlib = python.pyimport("hashlib");
  const content = python.toPy(new Uint8Array(wheel));
  const digest = hashlib.sha256(content).hexdigest();
  content.destroy();
  if (digest !== files.numpy.sha256) {
    throw new Error(`${files.numpy.file} is not the file that was asked for`);
  }
  const site = python
    .pyimport("site")
    .getsitepackages()
    .toJs()[0];
  python.unpackArchive(wheel, "wheel", { extractDir: site });
  python.unpackArchive(code, "zip", { extractDir: site });
  engine = python.pyimport("nlp_dawn.exercises.page");
  self.postMessage({
    ready: {
      milliseconds: performance.now() - began,
      heap: python._module.HEAP8.length,
      bytes: done,
    },
  });
}

const loading = load().catch((error) => {
  self.postMessage({ failed: error.message });
});

self.onmessage = async ({ data }) => {
  await loading;
  const { ask, id, source, seed } = data;
  const earlier = JSON.stringify(data.earlier);
  try {
    const answer =
      ask === "run"
        ? engine.run(id, source, earlier)
        : engine.check(id, source, earlier, seed);
    self.postMessage({ answer });
  } catch (error) {
    // Python itself is broken, as after a stack that was too deep.
    self.postMessage({ died: String(error.message ?? error).split("\n")[0] });
  }
};
