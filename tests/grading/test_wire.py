"""What crosses between grader and worker arrives unchanged, or not at all."""

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nlp_dawn.exercises.plain import NotPlainError, plain
from nlp_dawn.grading import wire


def _sent(value):
    return wire.decode_frame(wire.encode(value))


def _frame(header, body=b""):
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<II", len(header), len(body)) + header + body


def _same(a, b):
    if isinstance(a, np.ndarray | np.generic):
        return (
            type(a) is type(b)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
        )
    if isinstance(a, list | tuple):
        return (
            type(a) is type(b)
            and len(a) == len(b)
            and all(_same(x, y) for x, y in zip(a, b, strict=True))
        )
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    return type(a) is type(b) and a == b


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
ARRAYS = hnp.arrays(
    dtype=st.sampled_from(
        [np.dtype(code) for code in ("?", *"bhilBHIL", *"efd", *"FD")]
    ),
    shape=hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(
            st.text(max_size=5, alphabet="abcd") | st.integers(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_every_plain_value_arrives_unchanged(value):
    assert _same(_sent(value), value)


@pytest.mark.parametrize(
    "value",
    [
        np.float64(0.1),
        np.float32(0.1),
        np.int8(-3),
        np.bool_(True),
        np.array(2.5),
        np.array(["one", "三"]),
        np.zeros((0, 3)),
        2**200,
        -(2**63),
        ...,
        {(1, "a"): [1], None: 2},
    ],
)
def test_a_value_keeps_its_type(value):
    got = _sent(value)
    assert type(got) is type(value)
    assert repr(got) == repr(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(10)[::-3],
        np.arange(4, dtype=">f8"),
        np.broadcast_to(np.float64(3), (2, 2)),
    ],
)
def test_an_array_arrives_whatever_its_place_in_memory(array):
    got = _sent(array)
    assert np.array_equal(got, array)
    assert got.flags.writeable
    assert got.dtype.byteorder in "=|"


def test_extended_precision_arrives_in_double_precision():
    got = _sent(np.arange(3, dtype=np.longdouble) / 7)
    assert got.dtype == np.float64
    assert got == pytest.approx(np.arange(3) / 7, rel=1e-15)


class _Float(float):
    pass


class _Array(np.ndarray):
    pass


class _List(list):
    pass


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        b"bytes",
        _Float(1),
        _List([1]),
        np.zeros(2).view(_Array),
        np.ma.masked_array([1.0], [True]),
        lambda: 0,
        range(3),
        object(),
        np.array([{}, None], dtype=object),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.array([b"a"]),
        {frozenset((1,)): 1},
        np.datetime64("2020"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stays_behind_is_called_by_its_type(value):
    with pytest.raises(NotPlainError) as here:
        plain(value)
    with pytest.raises(NotPlainError) as there:
        plain(_sent(value))
    expected = str(here.value)
    if isinstance(value, dict):
        expected = "an object of type dict"
    assert str(there.value) == expected


def test_a_type_with_a_name_that_is_none_becomes_an_object():
    odd = type("not a name", (), {})()
    assert type(_sent(odd)).__name__ == "object"


def test_what_is_nested_too_deep_or_too_large_is_not_sent():
    endless = []
    endless.append(endless)
    for value in (
        endless,
        np.zeros(wire.MAX_BODY // 8 + 1),
        "x" * (wire.MAX_HEADER + 1),
        dict.fromkeys(range(wire.MAX_ENTRIES + 1)),
        10**5000,
        10**1001,
    ):
        with pytest.raises(wire.WireError):
            wire.encode(value)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0" * 7,
        _frame(b""),
        _frame(b"{"),
        _frame(b"NaN"),
        _frame(b"[1]"),
        _frame(b"\xff"),
        _frame(b"[" * 100_000),
        _frame(b"9" * 5_000),
        _frame({"l": [{"l": []}] * 3, "t": []}),
        _frame({"l": 3}),
        _frame({"d": [[{"l": []}, 1]]}),
        _frame({"d": [[1]]}),
        _frame({"d": [[i, 0] for i in range(wire.MAX_ENTRIES + 1)]}),
        _frame({"a": ["|O", [1], 0]}, bytes(8)),
        _frame({"a": ["<f8", [2], 0]}, bytes(8)),
        _frame({"a": ["<f8", [-1], 0]}, bytes(8)),
        _frame({"a": ["<f8", [1.0], 0]}, bytes(8)),
        _frame({"a": ["<f8", [True], 0]}, bytes(8)),
        _frame({"a": ["<f8", [2**62, 2**62], 0]}, bytes(8)),
        _frame({"a": ["<f8", [0, 2**47], 0]}, bytes(8)),
        _frame({"a": ["<f8", [1] * 60, 0]}, bytes(8)),
        _frame({"a": ["f8,O", [1], 0]}, bytes(16)),
        _frame({"a": ["<f8", [1], 0]}, bytes(16)),
        _frame({"a": ["<f8"]}),
        _frame({"x": "O,O"}),
        _frame({"x": "|V8"}),
        _frame({"x": ["|O"]}),
        _frame({"o": ["__class__ = 1", 0]}),
        _frame({"o": ["x" * 61, 0]}),
        _frame({"o": "int"}),
        _frame({"i": "1e9"}),
        _frame({"i": "9" * 1001}),
        _frame({"f": "1"}),
        _frame({"c": [1]}),
        _frame({"u": [[2], ["a"]]}),
        _frame({"u": [[1], [1]]}),
        _frame({"u": [[4000], ["x" * 100_000] + [""] * 3999]}),
        _frame({"unknown": 1}),
        _frame(None) + b"more",
        struct.pack("<II", 2**32 - 1, 0),
    ],
)
def test_bytes_that_are_no_message_are_refused(frame):
    with pytest.raises((wire.WireError, struct.error)) as refused:
        wire.decode_frame(frame)
    if len(frame) >= wire.PREFIX:
        assert isinstance(refused.value, wire.WireError)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=6) | st.booleans(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from("ltdaficuxoe"), inner, max_size=2)
        ),
        max_leaves=10,
    ).map(lambda tree: json.dumps(tree).encode()),
    st.binary(max_size=64),
)
@settings(max_examples=500, deadline=None)
def test_no_message_does_anything_but_arrive_or_be_refused(header, body):
    try:
        value = wire.decode_frame(_frame(header, body))
    except wire.WireError:
        return
    wire.encode(value)  # whatever arrives is a value of the kinds we know


def test_truth_values_are_zero_or_one_whatever_their_bytes():
    got = wire.decode_frame(_frame({"a": ["|b1", [3], 0]}, b"\x00\x02\xff"))
    assert got.tobytes() == b"\x00\x01\x01"


def test_half_a_surrogate_pair_is_replaced():
    assert wire.decode_frame(_frame(b'"\\ud800"')) == "?"
    assert _sent("\ud800") == "?"
