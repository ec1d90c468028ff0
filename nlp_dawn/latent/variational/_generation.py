"""A trained VAE language model: ask it, write with it, save it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import log_softmax
from nlp_dawn.latent.variational._bound import importance_weighted_bound
from nlp_dawn.latent.variational._gaussian import (
    diagonal_log_density,
    sample_posterior,
)
from nlp_dawn.latent.variational._network import (
    decode,
    encode,
    enter,
    sentences,
)
from nlp_dawn.recurrent.gates import lstm_update
from nlp_dawn.typing import Array, floats

#: Rows of scores that exist at a time when sentences are scored.
BLOCK = 512


@dataclass(frozen=True)
class VAEState:
    """What a decoder knows of unfinished sentences.

    :concept:`vae-generation`

    Attributes
    ----------
    h, c : (R, H)
        Hidden states and cells.
    biases : (R, 4H)
        z's share of every step's input, and the biases.
    """

    h: Array
    c: Array
    biases: Array


class VAELanguageModel:
    r"""A trained VAE language model.

    .. math:: z \sim \mathcal N(0, I), \qquad
        x_t \sim p_\theta(\cdot \mid x_{<t}, z)

    It has ``start``, ``step`` and ``select``, so whatever searches with a
    decoder can search with this one; its sources are points z.

    :concept:`vae-generation` :concept:`vae-lm`

    Parameters
    ----------
    params : dict
        Of :func:`vae_language_model`.
    bos, eos : int
        The marks with which sentences start and end.
    pad : int
        The id of padding.

    Examples
    --------
    >>> from nlp_dawn.latent.variational import init_vae_language_model
    >>> rng = np.random.default_rng(0)
    >>> params = init_vae_language_model(
    ...     6, embedding=3, hidden=4, latent=2, rng=rng
    ... )
    >>> model = VAELanguageModel(params, bos=1, eos=2)
    >>> words = model.sample(3, max_length=5, rng=rng)
    >>> len(words), max(len(sentence) for sentence in words) <= 5
    (3, True)
    """

    def __init__(
        self, params: dict[str, Array], *, bos: int, eos: int, pad: int = 0
    ) -> None:
        self.params = params
        self.bos, self.eos, self.pad = bos, eos, pad

    @property
    def latent(self) -> int:
        """Number of dimensions of z."""
        return int(self.params["mean.b"].size)

    # --- reading ------------------------------------------------------------

    def encode(self, ids: npt.ArrayLike) -> tuple[Array, Array]:
        """Return mean and log-variance of q(z|x) for every sentence.

        Parameters
        ----------
        ids : (B, T + 1) of int
            Sentences with both marks, padded behind.

        Returns
        -------
        mean, log_variance : (B, Z)
            Of the approximate posteriors.
        """
        ids, mask = sentences(ids, self.pad)
        mean, log_variance, _ = encode(self.params, ids[:, 1:], mask)
        return mean, log_variance

    def log_likelihood(self, ids: npt.ArrayLike, z: npt.ArrayLike) -> Array:
        r"""Return ln p(x|z) of every sentence at a point of its own.

        .. math:: \ln p(x \mid z) = \sum_t \ln p(x_t \mid x_{<t}, z)

        Parameters
        ----------
        ids : (B, T + 1) of int
            Sentences with both marks, padded behind.
        z : (B, Z)
            Points.

        Returns
        -------
        (B,)
            In nats.
        """
        ids, mask = sentences(ids, self.pad)
        hs, _ = decode(self.params, ids[:, :-1], self._points(z, len(ids)))
        states, targets = hs[mask], ids[:, 1:][mask]  # (N, H), (N,)
        log_p = np.empty(len(states), hs.dtype)
        for start in range(0, len(states), BLOCK):
            here = slice(start, start + BLOCK)
            rows = self._log_probs(states[here])
            log_p[here] = rows[np.arange(len(rows)), targets[here]]
        return np.bincount(
            np.nonzero(mask)[0], weights=log_p, minlength=len(ids)
        ).astype(hs.dtype)

    def log_weights(
        self, ids: npt.ArrayLike, samples: int, *, rng: np.random.Generator
    ) -> Array:
        r"""Return importance weights of sentences, at samples of q.

        .. math:: \ln w_k = \ln p(x \mid z_k) + \ln p(z_k) - \ln q(z_k \mid x)

        Parameters
        ----------
        ids : (B, T + 1) of int
            Sentences with both marks, padded behind.
        samples : int
            K.
        rng : numpy.random.Generator
            Draws them.

        Returns
        -------
        (B, K)
            In nats. Their mean over K estimates the ELBO, and
            :func:`importance_weighted_bound` makes a tighter bound of them.

        Raises
        ------
        ValueError
            If there is no sample.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        mean, log_variance = self.encode(ids)
        prior = np.zeros_like(mean)
        weights = np.empty((len(mean), samples), mean.dtype)
        for k in range(samples):
            noise = rng.standard_normal(mean.shape, mean.dtype)
            z, _ = sample_posterior(mean, log_variance, noise)
            log_q = diagonal_log_density(z, mean, log_variance)
            log_prior = diagonal_log_density(z, prior, prior)
            weights[:, k] = self.log_likelihood(ids, z) + log_prior - log_q
        return weights

    def log_evidence(
        self, ids: npt.ArrayLike, samples: int, *, rng: np.random.Generator
    ) -> Array:
        r"""Estimate ln p(x) of sentences, from below, by importance weights.

        .. math:: \ln p(x) \gtrsim \ln \frac1K \sum_k w_k

        Parameters
        ----------
        ids : (B, T + 1) of int
            Sentences with both marks, padded behind.
        samples : int
            K; on average the bound only rises with it.
        rng : numpy.random.Generator
            Draws them.

        Returns
        -------
        (B,)
            In nats.

        References
        ----------
        Burda, Grosse and Salakhutdinov (2016), "Importance weighted
        autoencoders".
        """
        weights = self.log_weights(ids, samples, rng=rng)
        return importance_weighted_bound(weights)

    # --- writing ------------------------------------------------------------

    def start(self, sources: npt.ArrayLike) -> VAEState:
        """Return the state before the first word, a row per point (R, Z)."""
        z = self._points(sources, None)
        state, biases, _ = enter(self.params, z)
        if state is None:
            zeros = np.zeros((len(z), biases.shape[1] // 4), biases.dtype)
            state = zeros, zeros
        return VAEState(*state, biases)

    def step(
        self, state: VAEState, tokens: npt.ArrayLike
    ) -> tuple[Array, VAEState]:
        """Read one token per row; return what may follow.

        Parameters
        ----------
        state : VAEState
            Of R rows.
        tokens : (R,) of int
            Start marks at first, then the words that were chosen.

        Returns
        -------
        log_probs : (R, V)
            Natural logarithms.
        state : VAEState
            To go on from.
        """
        x = self.params["decoder.embedding.W"][np.asarray(tokens)]  # (R, D)
        a = x @ self.params["decoder.W"] + state.h @ self.params["decoder.U"]
        (h, c), _ = lstm_update(a + state.biases, state.c)
        return self._log_probs(h), VAEState(h, c, state.biases)

    def select(self, state: VAEState, rows: npt.ArrayLike) -> VAEState:
        """Keep, drop or repeat rows of a state."""
        rows = np.asarray(rows)
        return VAEState(state.h[rows], state.c[rows], state.biases[rows])

    def generate(
        self,
        z: npt.ArrayLike,
        *,
        max_length: int,
        rng: np.random.Generator | None = None,
    ) -> list[list[int]]:
        r"""Write one sentence per point.

        .. math:: x_t \sim p_\theta(\cdot \mid x_{<t}, z) \quad\text{or}\quad
            x_t = \arg\max_w p_\theta(w \mid x_{<t}, z)

        Parameters
        ----------
        z : (R, Z)
            Points.
        max_length : int
            Stop after so many words.
        rng : numpy.random.Generator, optional
            Draws the words; without it the likeliest one is taken each time.

        Returns
        -------
        list of lists of int
            The words, without the marks.

        Raises
        ------
        ValueError
            If the length is negative, or the points have another width.
        """
        if max_length < 0:
            raise ValueError(f"max_length must be ≥ 0, got {max_length}")
        state = self.start(z)
        tokens = np.full(len(state.h), self.bos)
        written: list[list[int]] = [[] for _ in tokens]
        going = np.ones(len(tokens), bool)
        for _ in range(max_length):
            if not going.any():
                break
            log_p, state = self.step(state, tokens)
            tokens = log_p.argmax(axis=1) if rng is None else _draw(log_p, rng)
            going &= tokens != self.eos
            for row in np.nonzero(going)[0]:
                written[row].append(int(tokens[row]))
        return written

    def sample(
        self, n: int, *, max_length: int, rng: np.random.Generator
    ) -> list[list[int]]:
        r"""Write sentences about points that are drawn from the prior.

        .. math:: z \sim \mathcal N(0, I), \qquad
            x_t \sim p_\theta(\cdot \mid x_{<t}, z)

        Parameters
        ----------
        n : int
            How many.
        max_length : int
            Stop after so many words.
        rng : numpy.random.Generator
            Draws points first, then words.

        Returns
        -------
        list of lists of int
            The words, without the marks.
        """
        z = rng.standard_normal((n, self.latent))
        return self.generate(z, max_length=max_length, rng=rng)

    # --- keeping ------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the parameters and the marks to a ``.npz`` file."""
        marks = np.array([self.bos, self.eos, self.pad])
        with Path(path).open("wb") as file:
            np.savez(file, allow_pickle=False, marks=marks, **self.params)

    @classmethod
    def load(cls, path: str | Path) -> "VAELanguageModel":
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            bos, eos, pad = file["marks"].tolist()
            names = [name for name in file.files if name != "marks"]
            params = {name: file[name] for name in names}
        return cls(params, bos=bos, eos=eos, pad=pad)

    # --- inside -------------------------------------------------------------

    def _log_probs(self, h: Array) -> Array:
        return log_softmax(
            h @ self.params["output.W"] + self.params["output.b"]
        )

    def _points(self, z: npt.ArrayLike, n_rows: int | None) -> Array:
        z = floats(z, "z")
        rows = len(z) if n_rows is None and z.ndim else n_rows
        if z.shape != (rows, self.latent):
            raise ValueError(
                "one point per row is needed: "
                f"z {z.shape}, expected {(n_rows or 'R', self.latent)}"
            )
        return z.astype(self.params["mean.b"].dtype, copy=False)


def _draw(log_p: Array, rng: np.random.Generator) -> Array:
    """Draw a word per row: the first whose cumulative share exceeds u."""
    steps = np.exp(log_p.astype(np.float64)).cumsum(axis=1)  # (R, V)
    u = rng.random((len(steps), 1)) * steps[:, -1:]
    return np.asarray((steps <= u).sum(axis=1))
