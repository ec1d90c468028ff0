"""The loop that trains every model of the book."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nlp_dawn.foundations.optimization._checkpoints import (
    History,
    Run,
    Step,
    load,
    save,
)
from nlp_dawn.foundations.optimization._optimizers import (
    SGD,
    Gradients,
    Optimizer,
    Params,
)
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.typing import Backward

Objective: TypeAlias = Callable[[Params, Any, Step], tuple[Any, Backward]]
Clip: TypeAlias = Callable[[Gradients], tuple[Gradients, float]]


class Diverged(ArithmeticError):  # noqa: N818 - "divergence" is taken
    """Training stopped being finite; the parameters are those before it.

    Attributes
    ----------
    step : int
        The step that failed, from 0.
    loss, norm : float
        Loss and gradient norm there.
    """

    def __init__(self, step: int, loss: float, norm: float):
        super().__init__(
            f"training diverged at step {step}: loss {loss:.6g}, "
            f"gradient norm {norm:.6g}"
        )
        self.step, self.loss, self.norm = step, loss, norm


def train(
    objective: Objective,
    params: Params,
    batches: Callable[[np.random.Generator], Iterable[Any]],
    *,
    epochs: int,
    learning_rate: float,
    rng: np.random.Generator,
    optimizer: Optimizer | None = None,
    schedule: Callable[[int], float] | None = None,
    clip: Clip | None = None,
    evaluate: Callable[[Params], dict[str, float]] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 0,
    progress: Callable[..., Any] | None = None,
) -> History:
    r"""Train a model, in place.

    .. math::
        \theta \leftarrow \theta - \eta_t\, \mathrm{clip}\Bigl(
        \frac{1}{|B|} \sum_{i \in B} \nabla_\theta \ell_i(\theta) \Bigr)

    :concept:`sgd-minibatch`

    Parameters
    ----------
    objective : callable
        ``(params, batch, step) -> (loss, backward)``; ``backward()`` returns
        the gradients under the parameters' names. `step` is a :class:`Step`.
    params : dict from str to array
        Changed in place.
    batches : callable
        ``rng -> iterable``: the batches of one epoch, such as
        :func:`batches_of` makes.
    epochs : int
        How often to go through them, counted from the very beginning (also
        where a checkpoint is resumed).
    learning_rate : float
        η.
    rng : numpy.random.Generator
        Orders the batches and feeds ``step.rng``, by independent streams.
    optimizer : Optimizer, optional
        Plain :class:`SGD` if not given.
    schedule : callable, optional
        ``step number -> factor`` of the learning rate.
    clip : callable, optional
        ``grads -> (grads, norm before clipping)``, such as
        ``clip_by_global_norm`` of chapter 8.
    evaluate : callable, optional
        ``params -> dict of numbers``, called after every epoch.
    checkpoint : path, optional
        Where to save after every epoch. If the file exists, training goes on
        from there, and gives the same numbers as if it had never stopped.
    checkpoint_every : int
        Save after that many steps, too; 0 for epochs alone.
    progress : callable, optional
        ``tqdm``, or what takes the same arguments.

    Returns
    -------
    History
        Of all steps, those before a resumed checkpoint included.

    Raises
    ------
    Diverged
        If a loss or a gradient is not finite; that step is not taken.
    ValueError
        If a number is out of range, gradients do not fit the parameters, or
        the checkpoint is of another model.

    Examples
    --------
    The mean of some numbers minimizes the mean squared distance to them:

    >>> from nlp_dawn.foundations.optimization import batches_of
    >>> def objective(params, batch, step):
    ...     (x,) = batch
    ...     d = params["mean"] - x
    ...     return (d**2).mean() / 2, lambda: {"mean": d.mean(keepdims=True)}
    >>> params = {"mean": np.zeros(1)}
    >>> history = train(
    ...     objective,
    ...     params,
    ...     batches_of([1.0, 2.0, 6.0], batch_size=3),
    ...     epochs=100,
    ...     learning_rate=0.5,
    ...     rng=np.random.default_rng(0),
    ... )
    >>> params["mean"].round(6), len(history.losses)
    (array([3.]), 100)
    """
    if epochs < 0 or learning_rate <= 0 or checkpoint_every < 0:
        raise ValueError(
            "epochs and checkpoint_every must not be negative, learning_rate "
            f"must be positive: got {epochs}, {checkpoint_every}, "
            f"{learning_rate}"
        )
    order, noise = rng.spawn(2)
    step = Step(number=0, epoch=0, rng=noise)
    run = Run(params, optimizer or SGD(), int(order.integers(2**63)), step)
    path = None if checkpoint is None else Path(checkpoint)
    every = checkpoint_every or math.inf
    if path is not None and path.exists():
        load(path, run)

    while step.epoch < epochs:
        epoch = batches(np.random.default_rng([run.seed, step.epoch]))
        for batch in _rest(epoch, run, epochs, progress):
            with _placed(run):
                loss, backward = objective(params, batch, step)
                grads, norm = _gradients(step.number, loss, backward, clip)
            eta = learning_rate * (schedule(step.number) if schedule else 1.0)
            run.optimizer.step(params, grads, eta)
            run.history.append(loss, norm, eta)
            step.number, run.position = step.number + 1, run.position + 1
            if path and step.number % every == 0:
                save(path, run)
        step.epoch, step.carry, run.position = step.epoch + 1, None, 0
        if evaluate:
            run.history.evaluations.append(evaluate(params))
        if path:
            save(path, run)
    return run.history


@contextmanager
def _placed(run: Run) -> Iterator[None]:
    """Tell whatever goes wrong in a step which step it was.

    Huge weights can make a layer raise before any loss is nan.
    """
    try:
        yield
    except Exception as error:
        note = f"This was training step {run.step.number}"
        if run.history.norms:
            note += (
                f"; the gradient before had norm {run.history.norms[-1]:.6g}"
            )
        error.add_note(note)
        raise


def _gradients(
    number: int, loss: float, backward: Backward, clip: Clip | None
) -> tuple[Gradients, float]:
    """Return the gradients to follow, or stop if there is nothing to follow."""
    if not math.isfinite(loss):
        raise Diverged(number, float(loss), math.nan)
    grads = backward()
    grads, norm = clip(grads) if clip else (grads, _norm(grads))
    if not math.isfinite(norm):
        raise Diverged(number, float(loss), norm)
    return grads, norm


def _norm(grads: Gradients) -> float:
    """Length of all gradients together (chapter 8 does it for any size)."""
    arrays = [
        g.values if isinstance(g, RowGradient) else g for g in grads.values()
    ]
    # Squares in float64: those of float32 overflow early and lose digits.
    return math.hypot(*(np.linalg.norm(g.astype(np.float64)) for g in arrays))


def _rest(
    epoch: Iterable[Any],
    run: Run,
    epochs: int,
    progress: Callable[..., Any] | None,
) -> Iterable[Any]:
    """Return the batches of an epoch that are still to do."""
    rest = itertools.islice(epoch, run.position, None)
    if progress is None:
        return rest
    bar: Iterable[Any] = progress(
        rest,
        desc=f"epoch {run.step.epoch + 1}/{epochs}",
        total=len(epoch) if isinstance(epoch, Sized) else None,
        initial=run.position,
    )
    return bar
