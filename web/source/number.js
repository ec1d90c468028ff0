// Judging a number as comparing.close() does in Python, which prepared every
// verdict that there is (page.py).

// A number as Python would read it: 0.25, -3, 1e-4, or a fraction, 2/3.
// `whole` says that it is written as a whole number.
export function parse(text) {
  const written = text.trim().replace(/−/g, "-");
  const fraction = /^([^/]+)\/([^/]+)$/.exec(written);
  const value = fraction
    ? plain(fraction[1]) / plain(fraction[2])
    : plain(written);
  return Number.isFinite(value)
    ? { value, whole: /^[-+]?\d+$/.test(written) }
    : null;
}

function plain(text) {
  const written = text.trim().replace(/(?<=\d)_(?=\d)/g, "");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(written)
    ? Number(written)
    : NaN;
}

export function judge({ value, whole }, { rtol, atol, values, otherwise }) {
  const close = (known) =>
    known.whole
      ? whole && value === known.value
      : Math.abs(value - known.value) <= atol + rtol * Math.abs(known.value);
  const known = values.find(close);
  if (known) return known.verdict;
  const right = values[0].value;
  return otherwise.find(
    ({ within }) =>
      within === null || Math.abs(value - right) <= within * Math.abs(right),
  ).verdict;
}
