"""The two types that every chapter's signatures use."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy.typing as npt

#: A NumPy array; its shape stands in the docstring or the comment beside it.
Array: TypeAlias = npt.NDArray[Any]

#: What a layer returns beside its output: the gradient of the loss with
#: respect to the output goes in, one gradient per differentiable input comes
#: out (bare if there is only one). It never changes its argument, and it may
#: be called any number of times.
Backward: TypeAlias = Callable[..., Any]
