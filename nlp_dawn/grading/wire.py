"""Values as data: how inputs and answers cross between grader and worker.

A message is a frame of two little-endian 32-bit lengths, a JSON header and the
raw bytes of its arrays. Nothing in it can be executed (no pickle), every size
is bounded, and reading one never calls code that the sender chose. What has no
place in it (a set, a function, an object of the student's own class) arrives
as an :class:`Opaque` that knows the name of its type and nothing else.

This file is also read inside the sandbox, by itself: it imports the standard
library and NumPy only.
"""

import json
import math
import re
import struct
from typing import Any, TypeGuard

import numpy as np

#: Largest JSON header and largest body of a frame, in bytes.
MAX_HEADER = 4 << 20
MAX_BODY = 64 << 20
#: How deep lists, tuples and dictionaries may be nested.
MAX_DEPTH = 16
#: Most entries of a dictionary: its keys may be chosen to collide.
MAX_ENTRIES = 10_000
#: Most axes of an array.
MAX_AXES = 32
#: Most digits of an integer beyond 64 bits.
MAX_DIGITS = 1_000

_LENGTHS = struct.Struct("<II")
#: Bytes before a header: the two lengths.
PREFIX = _LENGTHS.size

# Every dtype that may cross, by its name in the header.
_DTYPES = {
    code: np.dtype(code)
    for code in (
        *("|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8"),
        *("<f2", "<f4", "<f8", "<c8", "<c16"),
    )
}
_SCALARS = frozenset(
    kind for kind in np.sctypeDict.values() if np.dtype(kind).kind in "biufc"
)
# Arrays of bytes, dates and objects: no right answer holds them, so that it
# is enough to say which they were.
_HOLLOW = re.compile(r"[|<>]([Mm]8(\[\w+\])?|S[0-9]{1,6})|\|O")
_SPECIAL_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class WireError(ValueError):
    """A value that cannot be sent, or bytes that are no message."""


class Opaque:
    """A value that stayed where it was; the name of its type came alone.

    It is an instance of a class of that name, so that a sentence about its
    type reads as if the value were here. (An array of a subclass becomes an
    empty array of a class of that name.)
    """


def encode(value: object) -> bytes:
    """Return `value` as one frame.

    Parameters
    ----------
    value : object
        Nothing, truth values, numbers, text, arrays, and lists, tuples and
        dictionaries of these. Arrays of extended precision are sent in double
        precision.

    Raises
    ------
    WireError
        If it is nested too deep or too large.

    Examples
    --------
    >>> import numpy as np
    >>> decode_frame(encode({"p": np.array([0.25, 0.75]), "n": (1, None)}))
    {'p': array([0.25, 0.75]), 'n': (1, None)}
    """
    body: list[bytes] = []
    try:
        header = json.dumps(
            _encode(value, body, 0), allow_nan=False, separators=(",", ":")
        ).encode()
    except RecursionError:
        raise WireError("the value is nested too deep") from None
    size = sum(map(len, body))
    if len(header) > MAX_HEADER or size > MAX_BODY:
        raise WireError(
            f"the value is too large: {len(header)} + {size} bytes, at most "
            f"{MAX_HEADER} + {MAX_BODY} can be sent"
        )
    return b"".join((_LENGTHS.pack(len(header), size), header, *body))


def lengths(prefix: bytes | bytearray) -> tuple[int, int]:
    """Return the lengths of header and body that a frame begins with.

    Raises
    ------
    WireError
        If they pass the limits: nothing more has to be read.
    """
    header, body = _LENGTHS.unpack_from(prefix)
    if header > MAX_HEADER or body > MAX_BODY:
        raise WireError(f"a message of {header} + {body} bytes is too large")
    return header, body


def decode_frame(frame: bytes) -> Any:
    """Return the value of one whole frame."""
    header, body = lengths(frame)
    if len(frame) != PREFIX + header + body:
        raise WireError("the message is cut off or has something after it")
    return decode(frame[PREFIX : PREFIX + header], frame[PREFIX + header :])


def decode(header: bytes, body: bytes) -> Any:
    """Return the value of a frame's two parts, trusting neither.

    Raises
    ------
    WireError
        If they are not what :func:`encode` writes.
    """
    try:
        tree = json.loads(header, parse_constant=_no_constant)
        reader = _Reader(body)
        value = reader.value(tree, 0)
    except WireError:
        raise
    except (RecursionError, MemoryError):
        raise WireError("the message is nested too deep") from None
    except Exception as error:
        # Whatever the bytes provoke in the parsers is the sender's doing.
        raise WireError(f"no message: {type(error).__name__}") from None
    if reader.position != len(body):
        raise WireError("the message has bytes that belong to no array")
    return value


def _no_constant(name: str) -> float:
    raise WireError(f"{name} is not JSON")


def _encode(value: object, body: list[bytes], depth: int) -> object:
    # Exact types only: an object of a subclass may have methods that lie, so
    # it stays where it is. A value's methods are never called.
    if depth > MAX_DEPTH:
        raise WireError("the value is nested too deep")
    kind = type(value)
    if value is None:
        return None
    if isinstance(value, str) and kind in (str, np.str_):
        return str.__str__(value)
    if isinstance(value, bool) and kind is bool:
        return value
    if isinstance(value, int) and kind is int:
        return value if abs(value) < 1 << 63 else {"i": _digits(value)}
    if isinstance(value, float) and kind is float:
        return _encode_float(value)
    if isinstance(value, complex) and kind is complex:
        return {"c": [_encode_float(value.real), _encode_float(value.imag)]}
    if value is ...:
        return {"e": 0}
    if isinstance(value, list) and kind is list:
        return {"l": [_encode(item, body, depth + 1) for item in value]}
    if isinstance(value, tuple) and kind is tuple:
        return {"t": [_encode(item, body, depth + 1) for item in value]}
    if isinstance(value, dict) and kind is dict:
        if len(value) > MAX_ENTRIES:
            raise WireError(f"the dictionary has more than {MAX_ENTRIES} keys")
        if not all(_is_key(key) for key in value):
            return _encode_opaque(kind)
        return {
            "d": [
                [_encode(part, body, depth + 1) for part in pair]
                for pair in value.items()
            ]
        }
    if isinstance(value, np.ndarray) and kind is np.ndarray:
        return _encode_array(value, body, scalar=False)
    if isinstance(value, np.generic) and kind in _SCALARS:
        return _encode_array(np.asarray(value), body, scalar=True)
    return _encode_opaque(kind)


def _is_key(key: object) -> bool:
    if isinstance(key, tuple) and type(key) is tuple:
        return all(type(part) in (str, int) for part in key)
    return key is None or type(key) in (str, int, bool, float)


def _digits(number: int) -> str:
    try:
        digits = str(number)
    except ValueError:  # beyond sys.get_int_max_str_digits()
        raise WireError("the integer has too many digits") from None
    if len(digits) > MAX_DIGITS:
        raise WireError("the integer has too many digits")
    return digits


def _encode_float(number: float) -> object:
    return number if math.isfinite(number) else {"f": repr(number)}


def _encode_opaque(kind: type) -> object:
    name = type.__dict__["__name__"].__get__(kind)
    is_array = int(np.ndarray in type.__dict__["__mro__"].__get__(kind))
    return {"o": [name if _is_name(name) else "object", is_array]}


def _encode_array(array: np.ndarray, body: list[bytes], scalar: bool) -> object:
    if array.dtype.kind == "U":
        return {"u": [list(array.shape), array.ravel().tolist()]}
    # An array that lies in memory the other way round, or in the other order
    # of bytes, or in extended precision, arrives in the plain way.
    if array.dtype.kind in "biufc":
        if array.nbytes > 2 * MAX_BODY:  # at best half of it crosses
            raise WireError(f"an array of {array.nbytes} bytes is too large")
        dtype = array.dtype.newbyteorder("<")
        if dtype.str not in _DTYPES:
            dtype = np.dtype("<f8" if dtype.kind == "f" else "<c16")
        body.append(np.ascontiguousarray(array, dtype).tobytes())
        return {"a": [dtype.str, list(array.shape), int(scalar)]}
    code = array.dtype.str
    return {"x": code if _HOLLOW.fullmatch(code) else "|O"}


class _Reader:
    """Builds a value from a header's tree, taking its arrays off the body."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.position = 0

    def value(self, node: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise WireError("the message is nested too deep")
        if node is None or isinstance(node, bool | int | float):
            return node
        if isinstance(node, str):
            return _text(node)
        if not isinstance(node, dict) or len(node) != 1:
            raise WireError("the message holds a node of an unknown kind")
        ((tag, content),) = node.items()
        match tag:
            case "l":
                return [self.value(item, depth + 1) for item in content]
            case "t":
                return tuple(self.value(item, depth + 1) for item in content)
            case "d":
                if len(content) > MAX_ENTRIES:
                    raise WireError(f"more than {MAX_ENTRIES} entries")
                return {
                    self.value(key, depth + 1): self.value(entry, depth + 1)
                    for key, entry in content
                }
            case "a":
                return self._array(*content)
            case "f":
                return _SPECIAL_FLOATS[content]
            case "i":
                return _integer(content)
            case "c":
                real, imaginary = (self.value(x, depth + 1) for x in content)
                return complex(real, imaginary)
            case "u":
                return _words(*content)
            case "x":
                return _hollow(content)
            case "o":
                return _opaque(*content)
            case "e":
                return ...
        raise WireError(f"the message holds a node of the unknown kind {tag!r}")

    def _array(self, code: Any, shape: Any, scalar: Any) -> Any:
        dtype = _DTYPES[code]
        axes = _shape(shape)
        count = math.prod(axes)
        end = self.position + count * dtype.itemsize
        if end > len(self.body):
            raise WireError("the message is shorter than its arrays")
        # A truth value is whatever is not zero: NumPy trusts its bytes to be
        # 0 or 1, we do not.
        raw = np.frombuffer(
            self.body,
            np.dtype("u1") if dtype.kind == "b" else dtype,
            count,
            self.position,
        )
        self.position = end
        array = raw != 0 if dtype.kind == "b" else raw.copy()
        array = array.reshape(axes)
        return array[()] if scalar == 1 and not axes else array


def _shape(shape: Any) -> tuple[int, ...]:
    if len(shape) > MAX_AXES or not all(
        type(length) is int and 0 <= length < 1 << 48 for length in shape
    ):
        raise WireError("the message holds an array without a shape")
    return tuple(shape)


def _words(shape: Any, words: Any) -> np.ndarray:
    texts = [_text(word) for word in words]
    # NumPy gives every element the room of the longest.
    if 4 * len(texts) * max(map(len, texts), default=0) > MAX_BODY:
        raise WireError("the message holds too large an array of texts")
    return np.array(texts, dtype=np.str_).reshape(_shape(shape))


def _text(text: str) -> str:
    # Half a surrogate pair is no text and would break every file it gets to.
    return text.encode("utf-8", "replace").decode("utf-8")


def _integer(digits: str) -> int:
    if not re.fullmatch(r"-?[0-9]+", digits) or len(digits) > MAX_DIGITS:
        raise WireError("the message holds an integer without digits")
    return int(digits)


def _hollow(code: str) -> np.ndarray:
    if not _HOLLOW.fullmatch(code):
        raise WireError("the message holds an array of an unknown dtype")
    return np.empty(0, np.dtype(code))


def _opaque(name: object, is_array: object) -> object:
    if not _is_name(name):
        raise WireError("the message holds a value without a type")
    if is_array == 1:
        return type(name, (np.ndarray,), {})(0)
    return type(name, (Opaque,), {})()


def _is_name(name: object) -> TypeGuard[str]:
    return type(name) is str and name.isidentifier() and len(name) <= 60
