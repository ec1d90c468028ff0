"""Many similar texts in one small one that a browser can open.

The states of a figure differ in a few strokes. All their lines go into one
table, each once; a state is then a row of numbers. Three ways of writing the
rows are tried and the smallest result is kept: which one wins depends on the
figure by a factor of three.
"""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Unpacking is written twice: in :func:`unpack`, for the tests, and in
#: ``explore.js``, for the reader.
ENCODINGS = ("texts", "rows", "changes")


@dataclass(frozen=True)
class Packed:
    """Packed texts: gzip in base64, and how the rows are written."""

    encoding: str
    data: str


def pack(texts: Sequence[str], extra: Any = None) -> Packed:
    """Pack texts in the smallest of the known encodings.

    Parameters
    ----------
    texts : sequence of str
        Similar texts of many lines.
    extra : optional
        Anything JSON can hold that travels with them.

    Returns
    -------
    Packed
        The same for the same input, on every run.

    Examples
    --------
    >>> unpack(pack(["a", "b", "a"], extra={"n": 3}))
    (['a', 'b', 'a'], {'n': 3})
    """
    candidates = [
        Packed(encoding, _compress({"extra": extra, **encode(texts, encoding)}))
        for encoding in ENCODINGS
    ]
    return min(candidates, key=lambda packed: len(packed.data))


def unpack(packed: Packed) -> tuple[list[str], Any]:
    """Return the texts and the extra that :func:`pack` was given."""
    content = json.loads(gzip.decompress(base64.b64decode(packed.data)))
    return decode(content, packed.encoding), content["extra"]


def encode(texts: Sequence[str], encoding: str) -> dict[str, Any]:
    """Write texts in one encoding, as something JSON can hold.

    ``texts``
        As they are, each different one once, and which one each is.
    ``rows``
        A table of different lines in order of appearance, and for every text
        the row of its lines: k > 0 is line k of the table (from 1), 0 the
        next one not yet seen. New lines, which are most of what there is to
        say, so become runs of zeros.
    ``changes``
        The same, but a row as long as the one before it is written as pairs:
        how many places to go on, and what stands there.
    """
    if encoding == "texts":
        different = list(dict.fromkeys(texts))
        place = {text: k for k, text in enumerate(different)}
        return {"texts": different, "which": [place[text] for text in texts]}
    table: dict[str, int] = {}
    rows: list[list[int]] = []
    before: list[int] = []
    for text in texts:
        row, entries = [], []
        for line in text.split("\n"):
            new = line not in table
            number = table.setdefault(line, len(table) + 1)
            row.append(number)
            entries.append(0 if new else number)
        if encoding == "changes" and len(row) == len(before):
            pairs, last = [], 0
            for k, entry in enumerate(entries):
                if row[k] != before[k]:
                    pairs += [k - last, entry]
                    last = k
            rows.append([1, *pairs])
        elif encoding == "changes":
            rows.append([0, *entries])
        else:
            rows.append(entries)
        before = row
    return {"lines": list(table), "rows": rows}


def decode(content: dict[str, Any], encoding: str) -> list[str]:
    """Return the texts that :func:`encode` was given."""
    if encoding == "texts":
        return [content["texts"][k] for k in content["which"]]
    lines, seen = content["lines"], 0
    texts: list[str] = []
    row: list[int] = []
    for written in content["rows"]:
        entries = written
        if encoding == "changes":
            changed, *entries = written
            if changed:
                place, whole = 0, list(row)
                for k in range(0, len(entries), 2):
                    place += entries[k]
                    whole[place] = entries[k + 1]
                entries = whole
        row = []
        for entry in entries:
            if entry == 0:
                seen += 1
            row.append(entry or seen)
        texts.append("\n".join(lines[number - 1] for number in row))
    return texts


def _compress(content: dict[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # No time stamp: the same figure gives the same bytes.
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
