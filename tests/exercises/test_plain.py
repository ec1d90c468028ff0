"""Values are rebuilt from exact types before anything looks at them."""

import enum
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

from nlp_dawn.exercises.plain import NotPlainError, as_code, describe, plain


class LyingFloat(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


class LyingArray(np.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        return True

    def __eq__(self, other):
        return True


class LyingObject:
    def __eq__(self, other):
        return True

    __hash__ = None

    def __array__(self, dtype=None, copy=None):
        return np.array(1.0)

    def __float__(self):
        return 1.0


class Disguised:
    __name__ = "float"

    @property
    def __class__(self):
        return float


Pair = namedtuple("Pair", "a b")
Color = enum.IntEnum("Color", "RED")


@pytest.mark.parametrize(
    "value",
    [
        LyingFloat(3),
        np.zeros(2).view(LyingArray),
        LyingObject(),
        Disguised(),
        np.eye(2).view(np.matrix),
        np.ma.masked_array([1.0], [True]),
        np.rec.array([(1, 2.0)]),
        Pair(1, 2),
        Color.RED,
        OrderedDict(a=1),
        np.array([object()]),
        np.array([b"bytes"]),
        np.datetime64("2020-01-01"),
        1 + 2j,
        np.complex128(1),
        np.array([1j]),
        2**70,
        {1, 2},
        range(3),
        (x for x in ()),
        print,
        np.add,
        LyingFloat,
    ],
    ids=lambda value: type(value).__name__,
)
def test_rejects_everything_that_could_lie(value):
    for disguised in (value, [value], (value,), {"a": value}):
        with pytest.raises(NotPlainError):
            plain(disguised)


def test_rejects_lists_without_end():
    endless = []
    endless.append(endless)
    with pytest.raises(NotPlainError, match="without end"):
        plain(endless)


def test_rejects_unhashable_keys_without_an_error_of_its_own():
    with pytest.raises(NotPlainError):
        plain({np.float64(1.0): 2})


@pytest.mark.parametrize(
    "value", [None, True, 3, 2.5, "text", [1, "a"], (1, 2.5), {"a": [True]}]
)
def test_keeps_plain_values(value):
    assert plain(value) == value
    assert type(plain(value)) is type(value)


def test_an_ellipsis_is_nothing():
    assert plain(...) is None


def test_numpy_numbers_become_arrays_that_keep_their_kind():
    for number in (np.float32(0.1), np.int8(3), np.bool_(True)):
        array = plain(number)
        assert type(array) is np.ndarray
        assert array.shape == ()
        assert array.dtype == number.dtype
    assert plain(np.str_("a")) == "a"


def test_an_array_is_copied():
    array = np.zeros(2)
    copied = plain(array)
    array[0] = 1
    assert copied[0] == 0


@pytest.mark.parametrize(
    "value",
    [
        np.array([[0.5, np.inf], [-np.inf, 1e-9]]),
        np.array([1, 2]),
        np.array([0.25], dtype=np.float32),
        np.zeros((0, 3)),
        np.array([True, False]),
        -0.0,
        12345.678,
        "it's",
        None,
    ],
    ids=str,
)
def test_code_gives_the_value_back(value):
    again = eval(as_code(value, digits=17), {"np": np})
    np.testing.assert_array_equal(again, value)
    if isinstance(value, np.ndarray):
        assert again.dtype == value.dtype
        assert again.shape == value.shape


def test_code_gives_nested_values_back():
    value = [1.5, (2,), {"a": "b"}, (), [], None, True]
    assert eval(as_code(value)) == value


def test_a_long_text_is_shortened():
    assert len(as_code("x" * 1000)) < 100


def test_descriptions_name_what_disagrees():
    assert describe(plain(np.zeros((2, 3)))) == "an array of shape (2, 3)"
    assert describe(plain(np.float64(1))) == "a number"
    assert describe((1, 2)) == "2 values (a tuple)"
    assert describe(None) == "None (nothing)"
    assert describe(plain(np.bool_(True))) == "a truth value"
