"""Exploding gradients, and why clipping helps.

How a gradient grows or shrinks on its way back through time (``_spectra``,
``_products``), what clipping does to it (``_clipping``), the kind of
smoothness under which clipping is the right step (``_smoothness``,
``_steps``), and descents that show it (``_descent``).
"""

from nlp_dawn.recurrent.gradient_clipping._clipping import (
    clip_by_global_norm,
    clip_by_value,
    global_norm,
    hard_factor,
    normalized_factor,
    soft_clip,
    soft_factor,
)
from nlp_dawn.recurrent.gradient_clipping._descent import (
    Path,
    gradient_descent,
    one_unit_loss,
)
from nlp_dawn.recurrent.gradient_clipping._products import (
    ACTIVATIONS,
    Activation,
    backward_norms,
    hidden_path,
    jacobian_product,
    linear_proxy,
)
from nlp_dawn.recurrent.gradient_clipping._smoothness import (
    change_excess,
    is_l0_l1_smooth,
    local_smoothness,
    smallest_l0,
    smoothness_constant,
)
from nlp_dawn.recurrent.gradient_clipping._spectra import (
    orthogonal,
    singular_bound,
    spectral_norm,
    spectral_radius,
)
from nlp_dawn.recurrent.gradient_clipping._steps import (
    best_step,
    descent_bound,
    safe_descent_bound,
    steps_bound,
)

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Path",
    "backward_norms",
    "best_step",
    "change_excess",
    "clip_by_global_norm",
    "clip_by_value",
    "descent_bound",
    "global_norm",
    "gradient_descent",
    "hard_factor",
    "hidden_path",
    "is_l0_l1_smooth",
    "jacobian_product",
    "linear_proxy",
    "local_smoothness",
    "normalized_factor",
    "one_unit_loss",
    "orthogonal",
    "safe_descent_bound",
    "singular_bound",
    "smallest_l0",
    "smoothness_constant",
    "soft_clip",
    "soft_factor",
    "spectral_norm",
    "spectral_radius",
    "steps_bound",
]
