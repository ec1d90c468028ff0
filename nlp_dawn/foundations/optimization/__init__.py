"""Training: many small steps against a gradient, each on a few examples.

``_batches`` deals the examples out, ``_optimizers`` turn gradients into steps,
``_training`` is the loop around both, ``_checkpoints`` let it stop and go on
as if nothing had happened.
"""

from nlp_dawn.foundations.optimization._batches import (
    batches_of,
    minibatches,
)
from nlp_dawn.foundations.optimization._checkpoints import History, Step
from nlp_dawn.foundations.optimization._optimizers import (
    SGD,
    Adam,
    Gradients,
    Optimizer,
    Params,
)
from nlp_dawn.foundations.optimization._training import (
    Diverged,
    train,
)

__all__ = [
    "SGD",
    "Adam",
    "Diverged",
    "Gradients",
    "History",
    "Optimizer",
    "Params",
    "Step",
    "batches_of",
    "minibatches",
    "train",
]
