// A page of the file system may not fetch another one, so search there shows
// titles without excerpts instead of an error for every result.
if (
  window.location.protocol === "file:" &&
  typeof DOCUMENTATION_OPTIONS !== "undefined"
) {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// What scrolls sideways on a narrow screen can be scrolled by the keyboard,
// also once the screen is turned.
const scrolling = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const boxes = ".katex-display, .highlight pre, .pst-scrollable-table-container";
document.querySelectorAll(boxes).forEach((box) => scrolling.observe(box));
