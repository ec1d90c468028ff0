// Visited pages stay readable without a network: sw.js in the site's root
// keeps them. Where there is no such worker (the file system, some private
// windows), nothing happens.
(() => {
  "use strict";
  const { serviceWorker } = navigator;
  if (!serviceWorker || !location.protocol.startsWith("http")) return;
  const root = new URL("..", document.currentScript.src);
  if (root.origin !== location.origin) return;

  // The first page is there before the worker is: it is told what to keep.
  async function keep() {
    const { active } = await serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource");
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      document.documentElement.dataset.kept = "";
    };
    const addresses = [location.href, ...loaded.map(({ name }) => name)];
    active.postMessage({ keep: addresses }, [channel.port2]);
  }

  async function start() {
    try {
      await serviceWorker.register(new URL("sw.js", root), {
        scope: root.pathname,
        updateViaCache: "none",
      });
      await keep();
    } catch {
      // Without a worker the page is what it was.
    }
  }

  // The page comes first.
  if (document.readyState === "complete") start();
  else addEventListener("load", start, { once: true });
})();
