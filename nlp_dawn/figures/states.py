"""What a figure is before it is drawn: its controls, their values, its text.

Everything that an author can get wrong is found here, before the first stroke.
"""

import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from nlp_dawn.figures.style import plain_number

Value: TypeAlias = float | int | bool | str
State: TypeAlias = dict[str, Value]
Kind: TypeAlias = Literal["number", "switch", "choice", "words"]

MAX_CONTROLS = 3

#: Up to this many words are shown at once, as a choice; more make a slider.
MAX_CHOICE = 5

#: Inches per panel, by the number of panels: wide enough for 11-point text to
#: stay at least that many pixels, side by side on a page and on a phone.
PANEL_SIZES = {1: (5.0, 3.0), 2: (3.9, 2.9), 3: (3.2, 2.8)}
MAX_PANELS = 6
MAX_INCHES = 7.0

#: Stands for "no data": None is a value that a reader may pass.
NOT_GIVEN: Any = type("NotGiven", (), {"__repr__": lambda _: "<not given>"})()

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Control:
    """One parameter of a figure: its values, and the text of each."""

    name: str
    label: str
    kind: Kind
    values: tuple[Value, ...]
    texts: tuple[str, ...]
    start: int

    @classmethod
    def of(
        cls, name: str, values: Sequence[Value], label: str, start: Any
    ) -> "Control":
        """Make the control that suits `values`, or say why none does."""
        grid, kind = _grid(name, values)
        return cls(
            name=name,
            label=label,
            kind=kind,
            values=grid,
            texts=_texts(grid, kind),
            start=0 if start is NOT_GIVEN else _position(name, grid, start),
        )


@dataclass(frozen=True)
class Exploration:
    """A figure and all its states, valid but not yet drawn."""

    draw: Callable[..., str]
    id: str
    title: str
    alt: str
    concepts: tuple[str, ...]
    panels: int
    figsize: tuple[float, float]
    controls: tuple[Control, ...]
    given: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        draw: Callable[..., str],
        *,
        id: str,
        title: str,
        alt: str,
        concepts: Sequence[str],
        panels: int,
        labels: Mapping[str, str],
        start: Mapping[str, Value],
        figsize: tuple[float, float] | None,
        data: Any,
        controls: Mapping[str, Sequence[Value]],
    ) -> "Exploration":
        """Check what the author wrote; see :func:`nlp_dawn.figures.explore`."""
        if not callable(draw):
            raise TypeError(f"draw must be a function, got {draw!r}")
        if not isinstance(id, str) or not _KEBAB.fullmatch(id):
            raise ValueError(
                "a figure's id is kebab-case, such as 'two-directions'; "
                f"got {id!r}"
            )
        for name, text in (("title", title), ("alt", alt)):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(
                    f"figure {id!r}: {name} must say something, got {text!r}"
                )
        if isinstance(concepts, str):
            raise TypeError(
                f"figure {id!r}: concepts is a tuple of slugs, got the string "
                f"{concepts!r}"
            )
        for slug in concepts:
            if not isinstance(slug, str) or not _KEBAB.fullmatch(slug):
                raise ValueError(
                    f"figure {id!r}: a concept's slug is kebab-case, "
                    f"got {slug!r}"
                )
        if not 1 <= len(controls) <= MAX_CONTROLS:
            raise ValueError(
                f"figure {id!r}: a figure has one to {MAX_CONTROLS} controls, "
                f"got {len(controls)}: {', '.join(controls) or 'none'}"
            )
        if (
            not isinstance(panels, int)
            or isinstance(panels, bool)
            or not 1 <= panels <= MAX_PANELS
        ):
            raise ValueError(
                f"figure {id!r}: panels must be 1 to {MAX_PANELS}, "
                f"got {panels!r}"
            )
        for argument, mapping in (("labels", labels), ("start", start)):
            if unknown := [name for name in mapping if name not in controls]:
                raise ValueError(
                    f"figure {id!r}: {argument} names {unknown[0]!r}, "
                    f"but the controls are {', '.join(controls)}"
                )
        made = tuple(
            Control.of(
                name,
                values,
                labels.get(name, name),
                start.get(name, NOT_GIVEN),
            )
            for name, values in controls.items()
        )
        given = {} if data is NOT_GIVEN else {"data": data}
        _check_signature(draw, id, (*controls, *given))
        return cls(
            draw=draw,
            id=id,
            title=title,
            alt=alt,
            concepts=tuple(concepts),
            panels=panels,
            figsize=_size(id, figsize, panels),
            controls=made,
            given=given,
        )

    @property
    def n_states(self) -> int:
        """How many states the grid of all controls has."""
        return math.prod(len(control.values) for control in self.controls)

    @property
    def start(self) -> State:
        """The state that is shown first."""
        return {c.name: c.values[c.start] for c in self.controls}

    @property
    def start_index(self) -> int:
        """Where :attr:`start` stands among :meth:`states`."""
        index = 0
        for control in self.controls:
            index = index * len(control.values) + control.start
        return index

    def states(self) -> Iterator[State]:
        """Yield every state; the last control moves fastest."""
        names = [control.name for control in self.controls]
        for values in itertools.product(*(c.values for c in self.controls)):
            yield dict(zip(names, values, strict=True))


def describe(state: Mapping[str, Value]) -> str:
    """Write a state the way it is written in Python.

    Examples
    --------
    >>> describe({"tau": 0.5, "stable": True})
    'tau=0.5, stable=True'
    """
    return ", ".join(f"{name}={value!r}" for name, value in state.items())


def _grid(name: str, values: Sequence[Value]) -> tuple[tuple[Value, ...], Kind]:
    if isinstance(values, str) or not isinstance(
        values, list | tuple | range | np.ndarray
    ):
        raise TypeError(
            f"control {name!r} needs a list of values, got {values!r}; "
            "the reader's own data goes in as data="
        )
    grid = tuple(v.item() if hasattr(v, "item") else v for v in values)
    if len(grid) < 2:
        raise ValueError(
            f"control {name!r} needs at least two values, got {list(grid)}"
        )
    if all(isinstance(v, bool) for v in grid):
        if sorted(grid) != [False, True]:
            raise ValueError(
                f"switch {name!r} is [True, False] or [False, True], "
                f"got {list(grid)}"
            )
        return grid, "switch"
    if all(isinstance(v, str) for v in grid):
        words = {str(v).strip() for v in grid}
        if len(words) < len(grid) or "" in words:
            raise ValueError(
                f"the words of control {name!r} must differ and none may be "
                f"empty, got {list(grid)}"
            )
        return grid, "choice" if len(grid) <= MAX_CHOICE else "words"
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in grid):
        raise TypeError(
            f"the values of control {name!r} must be all numbers, all "
            f"booleans or all strings, got {list(grid)}"
        )
    if not all(math.isfinite(v) for v in grid):
        raise ValueError(
            f"the values of control {name!r} must be finite, got {list(grid)}"
        )
    if not all(isinstance(v, int) for v in grid):
        grid = tuple(float(v) for v in grid)
    steps = np.diff(np.asarray(grid, dtype=float))
    if not (steps > 0).all() and not (steps < 0).all():
        raise ValueError(
            f"the values of control {name!r} must ascend or descend, "
            f"got {list(grid)}"
        )
    return grid, "number"


def _texts(grid: tuple[Value, ...], kind: Kind) -> tuple[str, ...]:
    if kind == "switch":
        return tuple("on" if value else "off" for value in grid)
    if kind != "number":
        return tuple(str(value) for value in grid)
    numbers = cast("tuple[float, ...]", grid)
    steps = np.diff(numbers)
    if np.allclose(steps, steps[0], rtol=1e-6, atol=0):
        # Evenly spaced numbers get the same decimals: 0.50, 0.55, 0.60.
        for decimals in range(5):
            rounded = [round(value, decimals) for value in numbers]
            if np.allclose(rounded, numbers, rtol=1e-9, atol=1e-12):
                return tuple(
                    f"{value + 0.0:.{decimals}f}".replace("-", "−")
                    for value in rounded
                )
    exact = [plain_number(value, digits=6) for value in numbers]
    if all(
        math.isclose(float(f"{value:.6g}"), value, rel_tol=1e-9)
        for value in numbers
    ):
        return tuple(exact)
    for digits in range(3, 17):
        texts = [plain_number(value, digits=digits) for value in numbers]
        if len(set(texts)) == len(texts):
            break
    return tuple(texts)


def _position(name: str, grid: tuple[Value, ...], start: Any) -> int:
    start = start.item() if hasattr(start, "item") else start
    for index, value in enumerate(grid):
        # 1 == True and 0.3 != 0.1 + 0.2: neither is what an author means.
        if isinstance(value, bool | str) or isinstance(start, bool | str):
            if type(value) is type(start) and value == start:
                return index
        elif isinstance(start, int | float) and math.isclose(
            value, start, rel_tol=1e-9, abs_tol=1e-12
        ):
            return index
    raise ValueError(
        f"start of control {name!r} must be one of its values {list(grid)}, "
        f"got {start!r}"
    )


def _size(
    id: str, figsize: tuple[float, float] | None, panels: int
) -> tuple[float, float]:
    if figsize is None:
        return PANEL_SIZES.get(panels, PANEL_SIZES[2])
    try:
        width, height = (float(side) for side in figsize)
    except (TypeError, ValueError):
        raise TypeError(
            f"figure {id!r}: figsize is (width, height) of one panel in "
            f"inches, got {figsize!r}"
        ) from None
    if not (1 <= width <= MAX_INCHES and 0.5 <= height <= MAX_INCHES):
        raise ValueError(
            f"figure {id!r}: figsize must be at most {MAX_INCHES} inches "
            "(wider panels are unreadable on a phone) and at least 1 by 0.5, "
            f"got {figsize!r}"
        )
    return width, height


def _check_signature(
    draw: Callable[..., str], id: str, names: Sequence[str]
) -> None:
    try:
        signature = inspect.signature(draw)
    except (TypeError, ValueError):  # some callables written in C have none
        return
    try:
        signature.bind(None, **dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(
            f"figure {id!r}: draw{signature} must take axes and "
            f"{', '.join(names)}: {error}"
        ) from None
