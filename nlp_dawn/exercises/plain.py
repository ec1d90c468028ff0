"""Values as plain data, so that no answer can lie about itself.

An object that comes from a student's code may call itself equal to anything.
Nothing is compared before :func:`plain` has rebuilt it from exact types.
"""

import math
from collections.abc import Mapping

import numpy as np

from nlp_dawn.typing import Array

#: What :func:`plain` returns: these types exactly, and never a subclass.
Plain = (
    None
    | bool
    | int
    | float
    | str
    | Array
    | list["Plain"]
    | tuple["Plain", ...]
    | dict["Plain", "Plain"]
)

_NUMPY_NUMBERS = frozenset(
    kind for kind in np.sctypeDict.values() if np.dtype(kind).kind in "biuf"
)
_DEPTH = 16
_TEXT = 80  # characters shown of a text


class NotPlainError(TypeError):
    """A value is of a type that no right answer has; says which."""


def plain(value: object) -> Plain:
    """Return `value` rebuilt from exact built-in types and plain arrays.

    Parameters
    ----------
    value
        Anything.

    Returns
    -------
    Plain
        A NumPy number becomes an array without axes, ``...`` becomes None;
        lists, tuples and dictionaries are rebuilt.

    Raises
    ------
    NotPlainError
        For any other type, subclasses of the allowed ones included.

    Examples
    --------
    >>> plain((1, [2.5, ...]))
    (1, [2.5, None])
    >>> class Liar(float):
    ...     def __eq__(self, other): return True
    >>> plain(Liar())
    Traceback (most recent call last):
    nlp_dawn.exercises.plain.NotPlainError: an object of type Liar
    """
    return _plain(value, _DEPTH)


def _plain(value: object, depth: int) -> Plain:
    kind = type(value)
    if value is None or value is ...:
        return None
    if isinstance(value, int) and kind in (bool, int):
        if abs(value) >= 2**63:
            raise NotPlainError("an integer of more than 64 bits")
        return value
    if isinstance(value, float | str) and kind in (float, str):
        return value
    if isinstance(value, np.str_) and kind is np.str_:
        return value.item()
    if kind in _NUMPY_NUMBERS:
        return np.array(value)
    if isinstance(value, np.ndarray):
        if kind is not np.ndarray:
            raise NotPlainError(f"an array of the special type {_name(kind)}")
        if value.dtype.kind not in "biufU":
            raise NotPlainError(f"an array of dtype {value.dtype}")
        return value.copy()
    if kind in (list, tuple, dict) and depth == 0:
        raise NotPlainError("lists in lists without end")
    if isinstance(value, list) and kind is list:
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, tuple) and kind is tuple:
        return tuple(_plain(item, depth - 1) for item in value)
    if isinstance(value, Mapping) and kind is dict:
        try:
            return {
                _plain(key, depth - 1): _plain(item, depth - 1)
                for key, item in value.items()
            }
        except TypeError as error:
            if isinstance(error, NotPlainError):
                raise
            raise NotPlainError("a dictionary with odd keys") from None
    raise NotPlainError(f"an object of type {_name(kind)}")


def _name(kind: type) -> str:
    name = type.__dict__["__name__"].__get__(kind)
    return name if type(name) is str else "?"


def size(value: object) -> int:
    """Return how many numbers `value` holds; a text counts as one."""
    if isinstance(value, np.ndarray):
        return int(value.size)
    if isinstance(value, dict):
        return sum(size(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(size(item) for item in value)
    return 1


def describe(value: Plain) -> str:
    """Say what kind of thing `value` is, without its numbers.

    Examples
    --------
    >>> describe([1, 2]), describe(np.zeros((2, 3))), describe(2.0)
    ('a list of 2', 'an array of shape (2, 3)', 'a number')
    """
    if value is None:
        return "None (nothing)"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            kind = value.dtype.kind
            return {"b": "a truth value", "U": "a text"}.get(kind, "a number")
        return f"an array of shape {value.shape}"
    if isinstance(value, tuple):
        return f"{len(value)} values (a tuple)"
    return f"a {type(value).__name__} of {len(value)}"


def as_code(value: object, *, digits: int = 6) -> str:
    """Return `value` as code that can be pasted into a cell.

    Parameters
    ----------
    value
        Plain data.
    digits : int
        Significant digits of each number.

    Examples
    --------
    >>> as_code(np.array([0.0, 1 / 3, np.inf]))
    'np.array([0.0, 0.333333, np.inf])'
    >>> as_code((np.float32(2), [1, None]))
    '(2.0, [1, None])'
    """
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating):
        return _float(float(value), digits)
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return as_code(value.item(), digits=digits)
        listed = as_code(value.tolist(), digits=digits)
        if value.size == 0:
            return f"np.zeros({value.shape})"
        if value.dtype.kind in "bU" or value.dtype in (np.float64, np.int64):
            return f"np.array({listed})"
        return f"np.array({listed}, dtype=np.{value.dtype.name})"
    if isinstance(value, list):
        return "[" + ", ".join(as_code(v, digits=digits) for v in value) + "]"
    if isinstance(value, tuple):
        inside = ", ".join(as_code(v, digits=digits) for v in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, str):
        return repr(value if len(value) <= _TEXT else value[:_TEXT] + "…")
    if isinstance(value, dict):
        inside = ", ".join(
            f"{as_code(k)}: {as_code(v, digits=digits)}"
            for k, v in value.items()
        )
        return "{" + inside + "}"
    return repr(value)


def _float(value: float, digits: int) -> str:
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    short = f"{value:.{digits}g}"
    return short if any(mark in short for mark in ".e") else f"{short}.0"
