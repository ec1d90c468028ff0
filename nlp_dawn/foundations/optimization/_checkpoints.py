"""Stopping at any step, and going on as if nothing had happened.

A checkpoint is one ``.npz`` file of plain arrays and one JSON text: no code
is stored, and none is run when it is read.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nlp_dawn.foundations.optimization._optimizers import Optimizer, Params
from nlp_dawn.typing import Array


@dataclass
class Step:
    """What an objective may know about the step that it computes.

    Attributes
    ----------
    number, epoch : int
        From 0; steps are counted over all epochs.
    rng : numpy.random.Generator
        For whatever the objective draws (dropout, noise).
    carry : nested tuples, lists and dicts of arrays, optional
        What the objective hands to the next step of the same epoch, such as
        the state of a recurrent network. None at the start of an epoch.
    """

    number: int
    epoch: int
    rng: np.random.Generator
    carry: Any = None


@dataclass
class History:
    """What happened, step by step and epoch by epoch.

    Attributes
    ----------
    losses, norms, learning_rates : list of float
        One entry per step: the loss of its batch, the norm of its gradient
        before clipping, the learning rate.
    evaluations : list of dict
        One entry per epoch: what `evaluate` returned.
    """

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)

    def append(self, loss: float, norm: float, learning_rate: float) -> None:
        """Note one step."""
        self.losses.append(float(loss))
        self.norms.append(float(norm))
        self.learning_rates.append(float(learning_rate))


@dataclass
class Run:
    """All that training has to remember: what a checkpoint holds.

    Attributes
    ----------
    params, optimizer
        What is trained, and by what.
    seed : int
        Every epoch is dealt out by a generator of its own, made from this
        and the epoch's number: so any epoch can be dealt again.
    step : Step
        The next step to take.
    position : int
        How many batches of its epoch are done.
    history : History
        Up to that step.
    """

    params: Params
    optimizer: Optimizer
    seed: int
    step: Step
    position: int = 0
    history: History = field(default_factory=History)


def save(path: Path, run: Run) -> None:
    """Write a checkpoint; an older one stays until the new one is complete."""
    arrays: dict[str, Any] = {
        f"params/{name}": x for name, x in run.params.items()
    }
    for name, x in run.optimizer.state().items():
        arrays[f"optimizer/{name}"] = x
    arrays |= {f"carry/{i}": x for i, x in enumerate(_leaves(run.step.carry))}
    arrays["json"] = np.array(
        json.dumps(
            {
                "format": 1,
                "optimizer": type(run.optimizer).__name__,
                "seed": run.seed,
                "noise": run.step.rng.bit_generator.state,
                "number": run.step.number,
                "epoch": run.step.epoch,
                "position": run.position,
                "carry": _skeleton(run.step.carry),
                "history": asdict(run.history),
            }
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
    unfinished.replace(path)


def load(path: Path, run: Run) -> None:
    """Take up a run where a checkpoint left it; in place, all or nothing.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or one of another model or optimizer.
    """
    try:
        with (
            path.open("rb") as opened,
            np.load(opened, allow_pickle=False) as file,
        ):
            arrays = {name: file[name] for name in file.files}
        saved = json.loads(str(arrays.pop("json")))
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"not a checkpoint: {path} ({error})") from error
    params = _part(arrays, "params/")
    shapes = {name: (x.shape, x.dtype) for name, x in params.items()}
    wanted = {name: (x.shape, x.dtype) for name, x in run.params.items()}
    if shapes != wanted:
        differ = sorted(
            name
            for name in shapes.keys() | wanted.keys()
            if shapes.get(name) != wanted.get(name)
        )
        raise ValueError(
            f"the checkpoint {path} is of another model: {differ[0]} is "
            f"{shapes.get(differ[0])} there, {wanted.get(differ[0])} here"
        )
    if saved["optimizer"] != type(run.optimizer).__name__:
        raise ValueError(
            f"the checkpoint {path} was made by {saved['optimizer']}, "
            f"not by {type(run.optimizer).__name__}"
        )
    for name, x in params.items():
        run.params[name][...] = x
    run.optimizer.restore(_part(arrays, "optimizer/"))
    run.seed = saved["seed"]
    run.step.rng.bit_generator.state = saved["noise"]
    run.step.number, run.step.epoch = saved["number"], saved["epoch"]
    carried = iter([arrays[name] for name in _numbered(arrays, "carry/")])
    run.step.carry = _filled(saved["carry"], carried)
    run.position = saved["position"]
    run.history = History(**saved["history"])


def _part(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {
        name.removeprefix(prefix): x
        for name, x in arrays.items()
        if name.startswith(prefix)
    }


def _numbered(arrays: Mapping[str, Array], prefix: str) -> list[str]:
    names = [name for name in arrays if name.startswith(prefix)]
    return sorted(names, key=lambda name: int(name.removeprefix(prefix)))


# What a step carries is a tree whose leaves are arrays: the leaves go into
# the archive, the tree without them into the JSON text.


def _leaves(tree: Any) -> Iterator[Array]:
    match tree:
        case None:
            return
        case dict():
            children = [tree[key] for key in tree]
        case tuple() | list():
            children = [*tree]
        case np.ndarray():
            yield tree
            return
        case _:
            raise TypeError(
                "a step carries arrays in tuples, lists and dicts, got "
                f"{type(tree).__name__}"
            )
    for child in children:
        yield from _leaves(child)


def _skeleton(tree: Any) -> Any:
    match tree:
        case None:
            return None
        case dict():
            return {"dict": [[key, _skeleton(x)] for key, x in tree.items()]}
        case tuple() | list():
            return {type(tree).__name__: [_skeleton(x) for x in tree]}
        case _:
            return "array"


def _filled(skeleton: Any, leaves: Iterator[Array]) -> Any:
    match skeleton:
        case None:
            return None
        case "array":
            return next(leaves)
        case {"dict": items}:
            return {key: _filled(x, leaves) for key, x in items}
        case {"tuple": items}:
            return tuple(_filled(x, leaves) for x in items)
        case {"list": items}:
            return [_filled(x, leaves) for x in items]
    raise ValueError(f"not what a step carries: {skeleton!r}")
