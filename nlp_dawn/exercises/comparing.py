"""Comparing what came back with what should have, and saying how it differs.

Everything here works on plain data: nothing that an answer returned can have a
say in the comparison.
"""

import copy
from collections.abc import Mapping, Sequence

import numpy as np

from nlp_dawn.exercises.plain import Plain, as_code, describe
from nlp_dawn.exercises.specification import Case, Comparison, Law
from nlp_dawn.typing import Array


def difference(
    got: Plain, want: Plain, comparison: Comparison, case: Case, subject: str
) -> tuple[str, str] | None:
    """Return the kind of difference and a sentence, or None if right."""
    structural = structure(got, want, subject, comparison.parts)
    if structural:
        return structural
    for law in comparison.laws:
        if not _holds(law, got, case):
            return "law", law.sentence
    if comparison.any_lawful or close(got, want, comparison):
        return None
    return "values", _wrong_values(got, want, comparison, subject)


def structure(
    got: Plain, want: Plain, subject: str, parts: tuple[str, ...] = ()
) -> tuple[str, str] | None:
    """Compare types, shapes and kinds of numbers, but no values."""
    if isinstance(want, list | tuple):
        if not isinstance(got, list | tuple):
            return (
                "type",
                f"{subject} {describe(got)}; {describe(want)} should come "
                f"back{': ' + ', '.join(parts) if parts else ''}.",
            )
        if len(got) != len(want):
            return "shape", f"{subject} {len(got)} values, not {len(want)}."
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            part = f" (`{parts[i]}`)" if i < len(parts) else ""
            fault = structure(g, w, f"Value {i + 1}{part} is")
            if fault:
                return fault
        return None
    if isinstance(want, dict):
        if not isinstance(got, dict) or set(got) != set(want):
            return (
                "type",
                f"{subject} {describe(got)}; a dictionary with the keys "
                f"{as_code(list(want))} should come back.",
            )
        for key, w in want.items():
            fault = structure(got[key], w, f"The entry {key!r} is")
            if fault:
                return fault
        return None
    if got is None:
        return (
            "type",
            f"{subject} None (nothing) for this input. Is a `return` missing "
            "on one of the ways through the function?",
        )
    if want is None or isinstance(want, str):
        if type(got) is not type(want):
            return "type", f"{subject} {describe(got)}, not {describe(want)}."
        return None
    wanted = np.asarray(want)
    if isinstance(got, list | tuple | dict | str):
        advice = (
            " Wrap it in `np.array(…)`."
            if isinstance(got, list | tuple) and wanted.ndim
            else ""
        )
        return (
            "type",
            f"{subject} {describe(got)}, not {describe(want)}.{advice}",
        )
    given = np.asarray(got)
    if given.shape != wanted.shape:
        return (
            "shape",
            f"{subject} {describe(got)}, not {describe(want)}."
            + _advise_on_shape(given.shape, wanted.shape),
        )
    kinds = given.dtype.kind, wanted.dtype.kind
    if ("b" in kinds or "U" in kinds) and kinds[0] != kinds[1]:
        return (
            "type",
            f"{subject} of the kind {given.dtype.name}, not "
            f"{wanted.dtype.name}.",
        )
    if kinds[1] == "f" and kinds[0] in "iu" and given.ndim:
        return (
            "dtype",
            f"{subject} an array of integers ({given.dtype}), so fractions "
            "are lost. Let the array be created as `float`.",
        )
    if kinds[1] in "iu" and kinds[0] == "f":
        return (
            "dtype",
            f"{subject} {describe(got)} with a decimal point; whole numbers "
            "(integers) should come back.",
        )
    return None


def _advise_on_shape(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    if [n for n in got if n != 1] == [n for n in want if n != 1]:
        return " An axis of length 1 is too many or missing: see `keepdims`."
    if got == want[::-1]:
        return " It is transposed."
    if len(got) < len(want):
        return " Was a sum or mean taken over one axis too many?"
    if len(got) > len(want):
        return " Is a sum or mean over an axis missing?"
    return ""


def close(got: Plain, want: Plain, comparison: Comparison) -> bool:
    """Compare the values of what has the same structure."""
    if isinstance(want, list | tuple) and isinstance(got, list | tuple):
        return all(
            close(g, w, comparison) for g, w in zip(got, want, strict=True)
        )
    if isinstance(want, dict) and isinstance(got, dict):
        return all(close(got[k], want[k], comparison) for k in want)
    if want is None or isinstance(want, str):
        return got == want
    given, wanted = np.asarray(got), np.asarray(want)
    if wanted.dtype.kind != "f":
        return bool(np.array_equal(given, wanted))
    rtol = comparison.rtol
    if wanted.dtype.itemsize < 8:
        rtol = max(rtol, 1e-5)
    return bool(
        np.isclose(
            given.astype(np.float64),
            wanted.astype(np.float64),
            rtol=rtol,
            atol=comparison.atol,
            equal_nan=True,
        ).all()
    )


def _wrong_values(
    got: Plain, want: Plain, comparison: Comparison, subject: str
) -> str:
    given, wanted = numbers(got), numbers(want)
    if given is None or wanted is None:
        return f"{subject} something else than it should."
    lost = np.isnan(given) & ~np.isnan(wanted)
    if lost.any():
        return (
            f"{subject} nan (not a number){_share(lost)}. It comes from "
            "`0 * inf`, `0 / 0` or `inf - inf`, and spreads."
        )
    burst = np.isinf(given) & np.isfinite(wanted)
    if burst.any():
        return (
            f"{subject} infinity{_share(burst)} where the right answer is "
            "finite: a division by zero, the logarithm of zero, or an "
            "exponential too large for a float."
        )
    wrong = ~np.isclose(
        given,
        wanted,
        rtol=comparison.rtol,
        atol=comparison.atol,
        equal_nan=True,
    )
    return f"{subject} a wrong value{_share(wrong)}."


def _share(marked: Array) -> str:
    if marked.size < 2:
        return ""
    return f" in {max(int(marked.sum()), 1)} of {marked.size} places"


def numbers(value: Plain) -> Array | None:
    """Return all floats of `value` in one row, or None if there is a text."""
    if isinstance(value, list | tuple | dict):
        items = value.values() if isinstance(value, dict) else value
        rows = [numbers(item) for item in items]
        if not rows or any(row is None for row in rows):
            return None
        return np.concatenate([row for row in rows if row is not None])
    if value is None or isinstance(value, str):
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return None
    return array.astype(np.float64).ravel()


def changed_arguments(
    case: Case, args: Sequence[object], kwargs: Mapping[str, object]
) -> tuple[int | str, ...]:
    """Return which arguments differ from those of the case, after a call.

    Parameters
    ----------
    case : Case
        What the arguments were.
    args, kwargs
        The copies that were passed, after the call.

    Returns
    -------
    tuple of int and str
        Positions and keywords.
    """
    changed: list[int | str] = [
        i for i, arg in enumerate(args) if not _identical(arg, case.args[i])
    ]
    changed += [
        k for k, v in kwargs.items() if not _identical(v, case.kwargs[k])
    ]
    return tuple(changed)


def _identical(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return (
            a.shape == b.shape
            and a.dtype == b.dtype
            and a.tobytes() == b.tobytes()
        )
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return (
            type(a) is type(b)
            and len(a) == len(b)
            and all(_identical(x, y) for x, y in zip(a, b, strict=True))
        )
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(_identical(a[k], b[k]) for k in a)
    return type(a) is type(b) and (a is b or bool(a == b) or a != a)


def _holds(law: Law, got: Plain, case: Case) -> bool:
    args, kwargs = copy.deepcopy((case.args, dict(case.kwargs)))
    return bool(law.holds(got, *args, **kwargs))
