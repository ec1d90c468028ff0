"""Packed states come back whole, from any encoding."""

import base64
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_dawn.figures.packing import ENCODINGS, decode, encode, pack, unpack

# Few different lines, so that they recur; some of them awkward.
LINES = st.sampled_from(["", "L 1 2", "M 0 0", "<g>", "中文", "—", "</g>"])
TEXTS = st.lists(st.lists(LINES, min_size=1).map("\n".join), max_size=12)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(texts=TEXTS)
def test_every_encoding_can_be_undone(encoding, texts):
    content = json.loads(json.dumps(encode(texts, encoding)))
    assert decode(content, encoding) == texts


@given(texts=TEXTS, extra=st.dictionaries(st.text(), st.integers()))
def test_packing_can_be_undone(texts, extra):
    assert unpack(pack(texts, extra)) == (texts, extra)


def test_the_smallest_encoding_is_kept():
    def size(texts, encoding):
        text = json.dumps(
            {"extra": None, **encode(texts, encoding)},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        return len(base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)))

    chosen = set()
    for texts in (
        ["x"],
        [
            "\n".join(f"L {k} {k * s % 97}" for k in range(300))
            for s in range(9)
        ],
        [
            "\n".join(
                f"{(k * 7919) % 1009 if k != s else s}" for k in range(400)
            )
            for s in range(40)
        ],
    ):
        packed = pack(texts)
        sizes = {e: size(texts, e) for e in ENCODINGS}
        assert len(packed.data) == min(sizes.values())
        chosen.add(packed.encoding)
    assert len(chosen) > 1


def test_a_line_that_recurs_costs_next_to_nothing():
    """The table is worth its code: forty states of a long curve in a few kB."""
    curve = "\n".join(f"L {k} {k * k % 1009}" for k in range(600))
    states = [f"{curve}\nx {k}" for k in range(40)]
    alone = len(base64.b64encode(gzip.compress(curve.encode(), 9)))
    assert len(pack(states).data) < 1.5 * alone


def test_packing_gives_the_same_bytes_again():
    texts = [f"a\nb {k}" for k in range(5)]
    assert pack(texts, {"n": 1}) == pack(texts, {"n": 1})
