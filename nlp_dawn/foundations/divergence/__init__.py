"""How far apart are two distributions: the Kullback-Leibler divergence.

Of tables (``_tables``), of densities and Gaussians (``_densities``), and what
happens when a simple model is fitted by it in either direction
(``_fitting``, ``_descent``). Everything is in nats.
"""

from nlp_dawn.foundations.divergence._densities import (
    Estimate,
    GaussianMixture,
    gaussian_kl,
    gaussian_log_density,
    kl_monte_carlo,
    kl_on_grid,
    multivariate_gaussian_kl,
)
from nlp_dawn.foundations.divergence._descent import (
    Descent,
    descend,
)
from nlp_dawn.foundations.divergence._fitting import (
    fit_categorical,
    fit_forward_kl,
    fit_gaussian,
    forward_kl,
    reverse_kl,
    reverse_kl_pathwise,
)
from nlp_dawn.foundations.divergence._tables import (
    cross_entropy_between,
    entropy,
    js_divergence,
    kl_divergence,
    kl_terms,
)

__all__ = [
    "Descent",
    "Estimate",
    "GaussianMixture",
    "cross_entropy_between",
    "descend",
    "entropy",
    "fit_categorical",
    "fit_forward_kl",
    "fit_gaussian",
    "forward_kl",
    "gaussian_kl",
    "gaussian_log_density",
    "js_divergence",
    "kl_divergence",
    "kl_monte_carlo",
    "kl_on_grid",
    "kl_terms",
    "multivariate_gaussian_kl",
    "reverse_kl",
    "reverse_kl_pathwise",
]
