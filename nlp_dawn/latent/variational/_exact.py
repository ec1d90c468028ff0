"""Two latent variable models whose every integral can be done."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import softmax
from nlp_dawn.foundations.divergence import gaussian_kl, gaussian_log_density
from nlp_dawn.latent.variational._bound import Bound, decompose
from nlp_dawn.typing import Array, floats


@dataclass(frozen=True)
class LinearGaussian:
    r"""A number that is made of another one, unseen, and of noise.

    .. math:: z \sim \mathcal N(0, 1), \qquad
        x \mid z \sim \mathcal N(a z, s^2)

    so that everything is Gaussian:

    .. math:: x \sim \mathcal N(0, a^2 + s^2), \qquad
        z \mid x \sim \mathcal N\left(\frac{a x}{a^2 + s^2},
        \frac{s^2}{a^2 + s^2}\right)

    :concept:`elbo-identity` :concept:`elbo-jensen`

    Parameters
    ----------
    slope : float
        a.
    noise : float
        s, a standard deviation.

    Raises
    ------
    ValueError
        If the noise is not positive.

    References
    ----------
    Bishop (2006), "Pattern Recognition and Machine Learning", section 2.3.3.

    Examples
    --------
    Signal and noise of equal size share the observation.

    >>> model = LinearGaussian(slope=1.0, noise=1.0)
    >>> mean, std = model.posterior(2.0)
    >>> float(mean), float(std**2).__round__(6)
    (1.0, 0.5)
    """

    slope: float
    noise: float

    def __post_init__(self) -> None:
        if not self.noise > 0:
            raise ValueError(f"noise must be positive, got {self.noise}")

    def log_evidence(self, x: npt.ArrayLike) -> Array:
        """Return ln p(x), in nats."""
        return gaussian_log_density(x, 0.0, np.hypot(self.slope, self.noise))

    def posterior(self, x: npt.ArrayLike) -> tuple[Array, Array]:
        """Return mean and standard deviation of z, once x is known."""
        x = floats(x, "x")
        total = self.slope**2 + self.noise**2
        std = np.full(x.shape, self.noise / np.sqrt(total), x.dtype)
        return np.asarray(self.slope * x / total), std

    def log_joint(self, x: npt.ArrayLike, z: npt.ArrayLike) -> Array:
        """Return ln p(x, z), in nats."""
        z = floats(z, "z")
        prior = gaussian_log_density(z, 0.0, 1.0)
        return prior + gaussian_log_density(x, self.slope * z, self.noise)

    def decompose(
        self, x: npt.ArrayLike, mean: npt.ArrayLike, std: npt.ArrayLike
    ) -> Bound:
        r"""Split ln p(x) into bound and gap for q = N(mean, std²).

        .. math:: \mathbb E_q \ln p(x \mid z) = \ln \mathcal N(x; a m, s^2)
            - \frac{a^2 v}{2 s^2}, \qquad v = \text{std}^2

        Parameters
        ----------
        x, mean, std : array
            They broadcast.

        Returns
        -------
        Bound
            Evidence, reconstruction, KL and gap, in nats, each by its own
            formula.

        Raises
        ------
        ValueError
            If a standard deviation is not positive.
        """
        mean, std = floats(mean, "mean"), floats(std, "std")
        kl = gaussian_kl(mean, std, 0.0, 1.0)
        blur = (self.slope * std / self.noise) ** 2 / 2
        at_mean = gaussian_log_density(x, self.slope * mean, self.noise)
        return Bound(
            log_evidence=self.log_evidence(x),
            reconstruction=at_mean - blur,
            kl=kl,
            gap=gaussian_kl(mean, std, *self.posterior(x)),
        )


@dataclass(frozen=True, eq=False)
class MixtureOfUnigrams:
    r"""Sentences with one hidden topic each, whose words are drawn from it.

    .. math:: z \sim \pi, \qquad
        p(x \mid z) = \prod_t B_{z, x_t} = \prod_w B_{z w}^{n_w}

    A sentence is the multiset of its words, counted in n. The topics can be
    enumerated, so nothing has to be approximated.

    :concept:`elbo-identity`

    Parameters
    ----------
    prior : (K,)
        π, probabilities of the topics.
    words : (K, V)
        B, a distribution over words per topic.

    Raises
    ------
    ValueError
        If shapes disagree, or something is no distribution.

    References
    ----------
    Nigam, McCallum, Thrun and Mitchell (2000), "Text classification from
    labeled and unlabeled documents using EM".

    Examples
    --------
    >>> model = MixtureOfUnigrams([0.5, 0.5], [[0.8, 0.2], [0.2, 0.8]])
    >>> model.posterior([[1, 0]])
    array([[0.8, 0.2]])
    """

    prior: Array
    words: Array

    def __post_init__(self) -> None:
        prior, words = floats(self.prior, "prior"), floats(self.words, "words")
        if prior.ndim != 1 or words.ndim != 2 or len(words) != len(prior):
            raise ValueError(
                "prior must be (K,) and words (K, V): "
                f"prior {prior.shape}, words {words.shape}"
            )
        for name, table in (("prior", prior), ("words", words)):
            sums = table.sum(axis=-1)
            if not np.all(table >= 0) or not np.allclose(sums, 1):
                raise ValueError(
                    f"{name} must be probabilities that sum to 1, "
                    f"got {table.min():.6g} and sums {np.round(sums, 6)}"
                )
        object.__setattr__(self, "prior", prior)
        object.__setattr__(self, "words", words)

    def log_likelihood(self, counts: npt.ArrayLike) -> Array:
        """Return ln p(x|z) of every sentence and topic, (N, K), in nats."""
        counts = self._counts(counts)
        with np.errstate(divide="ignore"):
            log_words = np.log(self.words)
        # A word that a sentence does not have must not count, even where its
        # probability is zero: 0 · −∞ is meant to be 0.
        finite = np.where(np.isfinite(log_words), log_words, 0.0)
        impossible = counts @ (self.words == 0).T.astype(float)  # (N, K)
        scores = counts @ finite.T
        return np.asarray(np.where(impossible > 0, -np.inf, scores))

    def posterior(self, counts: npt.ArrayLike) -> Array:
        """Return p(z|x) of every sentence, (N, K)."""
        with np.errstate(divide="ignore"):
            return softmax(self.log_likelihood(counts) + np.log(self.prior))

    def decompose(self, counts: npt.ArrayLike, q: npt.ArrayLike) -> Bound:
        """Split ln p(x) of every sentence, for a q of every sentence (N, K)."""
        with np.errstate(divide="ignore"):
            log_prior = np.log(self.prior)
        return decompose(log_prior, self.log_likelihood(counts), q)

    def em_step(
        self, counts: npt.ArrayLike
    ) -> tuple["MixtureOfUnigrams", Array]:
        r"""Raise the bound twice: first by the best q, then by the best model.

        .. math:: q_n \leftarrow p(z \mid x_n), \qquad
            \pi_k \leftarrow \frac1N \sum_n q_{nk}, \qquad
            B_{kw} \leftarrow \frac{\sum_n q_{nk} n_{nw}}
            {\sum_{w'} \sum_n q_{nk} n_{nw'}}

        The first step closes the gap and leaves ln p(x) alone; the second
        raises the bound with q held fast, and ln p(x) with it. A topic that
        no sentence wants keeps its words.

        Parameters
        ----------
        counts : (N, V)
            How often each word is in each sentence.

        Returns
        -------
        model : MixtureOfUnigrams
            The next model.
        q : (N, K)
            The posteriors it was made with.

        Raises
        ------
        ValueError
            If the counts do not fit, or there is no sentence.
        """
        counts = self._counts(counts)
        if not len(counts):
            raise ValueError("EM needs at least one sentence, got counts (0,)")
        q = self.posterior(counts)  # (N, K)
        expected = q.T @ counts  # (K, V)
        totals = expected.sum(axis=1, keepdims=True)
        words = np.where(
            totals > 0, expected / np.where(totals > 0, totals, 1), self.words
        )
        return MixtureOfUnigrams(q.mean(axis=0), words), q

    def _counts(self, counts: npt.ArrayLike) -> Array:
        counts = floats(counts, "counts")
        if counts.ndim != 2 or counts.shape[1] != self.words.shape[1]:
            raise ValueError(
                "counts must be (N, V), one column per word: "
                f"counts {counts.shape}, words {self.words.shape}"
            )
        return counts
