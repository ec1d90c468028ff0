"""Time contenders on the same work, interleaved, so that noise hits all."""

import concurrent.futures
import contextlib
import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import threadpoolctl  # type: ignore[import-untyped]
import torch
from tqdm import tqdm

from benchmarks import recording

#: The numbers of threads with which everything is timed.
THREADS = (1, 2)

#: Who does the work: ``"ours"`` and the peers by name; each returns its answer.
Contenders: TypeAlias = Mapping[str, Callable[[], Any]]

#: What libraries read when they start, to know how many threads to use.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Answer = TypeVar("Answer")


def interleave(
    contenders: Contenders,
    *,
    rounds: int,
    rng: np.random.Generator,
    rest: float = 0.0,
) -> dict[str, list[float]]:
    """Time each contender once a round, in a fresh random order.

    Parameters
    ----------
    contenders : contenders
        Name to what is timed.
    rounds : int
        Timed rounds; one more goes before them to warm up.
    rng : numpy.random.Generator
        Draws the order.
    rest : float
        Seconds of pause before each run. A library's threads wait actively for
        a while after their work, and would take a core from the next one.

    Returns
    -------
    dict of str to list of float
        Name to its seconds, round by round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    collecting = gc.isenabled()
    gc.disable()  # a collection would be charged to whoever is running
    try:
        for run in contenders.values():
            run()
        for _ in range(rounds):
            for index in rng.permutation(len(names)):
                name = names[index]
                time.sleep(rest)
                start = time.perf_counter()
                contenders[name]()
                seconds[name].append(time.perf_counter() - start)
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return seconds


def compare(
    seconds: Mapping[str, list[float]], ours: str, peer: str
) -> dict[str, Any]:
    """Summarize the rounds: both medians, and our time ÷ the peer's.

    Parameters
    ----------
    seconds : mapping of str to list of float
        From ``interleave``.
    ours, peer : str
        Two of its names.

    Returns
    -------
    dict
        ``ours_ms`` and ``peer_ms`` (medians), ``ratio`` (median of the
        rounds' ratios: a slow moment of the machine hits both in a round) and
        ``ratio_quartiles``; below one, ours is faster.
    """
    a, b = np.array(seconds[ours]), np.array(seconds[peer])
    low, middle, high = np.quantile(a / b, [0.25, 0.5, 0.75])
    return {
        "peer": peer,
        "ours_ms": float(np.median(a) * 1e3),
        "peer_ms": float(np.median(b) * 1e3),
        "ratio": float(middle),
        "ratio_quartiles": [float(low), float(high)],
        "rounds": len(a),
    }


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Let NumPy's, SciPy's and torch's libraries use `threads` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpoolctl.threadpool_limits(threads):
            yield
    finally:
        torch.set_num_threads(before)


def in_own_process(
    function: Callable[..., Answer], *arguments: Any, threads: int
) -> Answer:
    """Call `function` in a new Python whose libraries start `threads` threads.

    Parameters
    ----------
    function : callable
        Of a module, as it is found there by name.
    *arguments
        What it is called with.
    threads : int
        What NumPy's, SciPy's and torch's libraries are told.

    Returns
    -------
    Any
        What the function returns; if it raises, that is raised here.
    """
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
    try:
        with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn")
        ) as pool:
            return pool.submit(function, *arguments).result()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def gap(ours: npt.ArrayLike, theirs: npt.ArrayLike) -> float:
    """Return how far two answers are apart, as a share of the peer's length.

    Parameters
    ----------
    ours, theirs : array
        Of one shape.

    Returns
    -------
    float
        The length of the difference ÷ the length of `theirs`.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"answers differ in shape: {a.shape}, {b.shape}")
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def check(contenders: Contenders) -> None:
    """Raise AssertionError unless all contenders return the same numbers."""
    ours = contenders["ours"]()
    for name, run in contenders.items():
        np.testing.assert_allclose(
            run(), ours, rtol=2e-4, atol=2e-6, err_msg=name
        )


def measure(
    works: Mapping[str, Contenders], *, rounds: int, seed: int
) -> dict[str, Any]:
    """Check and time every work, with each number of `THREADS`.

    Parameters
    ----------
    works : mapping of str to contenders
        What is timed; of each work, one contender is ``"ours"``.
    rounds : int
        Timed rounds per work.
    seed : int
        Determines the order within the rounds.

    Returns
    -------
    dict
        Number of threads to ``pools`` (what the libraries then used) and
        ``works``: name to one row of ``compare`` per peer.

    Raises
    ------
    AssertionError
        If a peer returns other numbers than we do.
    """
    figures: dict[str, Any] = {}
    rng = np.random.default_rng(seed)
    with tqdm(total=len(THREADS) * len(works), leave=False) as bar:
        for count in THREADS:
            rows: dict[str, Any] = {}
            with limited(count):
                for work, contenders in works.items():
                    bar.set_description(f"{work}, threads: {count}")
                    check(contenders)
                    seconds = interleave(contenders, rounds=rounds, rng=rng)
                    rows[work] = [
                        compare(seconds, "ours", peer)
                        for peer in contenders
                        if peer != "ours"
                    ]
                    bar.update()
                pools = recording.threads()
            figures[str(count)] = {"pools": pools, "works": rows}
    return figures


def table(figures: Mapping[str, Any]) -> str:
    """Write the figures of a benchmark as lines for the terminal.

    Parameters
    ----------
    figures : mapping
        From ``measure``.
    """
    lines = [
        f"{'work':<24} threads  {'peer':<8}  ours ms  peer ms  ours ÷ peer"
    ]
    for threads, found in figures.items():
        for work, rows in found["works"].items():
            lines += [
                f"{work:<24} {threads:>7}  {row['peer']:<8} "
                f"{row['ours_ms']:>8.2f} {row['peer_ms']:>8.2f}  "
                f"{row['ratio']:.2f} ({row['ratio_quartiles'][0]:.2f} to "
                f"{row['ratio_quartiles'][1]:.2f})"
                for row in rows
            ]
    return "\n".join(lines)
