// A page of the file system may not fetch another one, so search there shows
// titles without excerpts instead of an error for every result.
if (
  window.location.protocol === "file:" &&
  typeof DOCUMENTATION_OPTIONS !== "undefined"
) {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// What scrolls sideways on a narrow screen can be scrolled by the keyboard.
document.querySelectorAll(".katex-display, .highlight pre").forEach((box) => {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
});
