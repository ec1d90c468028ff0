"""Running the cells of many pages at once, before Sphinx reads them in turn.

Sphinx reads one page after the other, and a page runs when it is read. A build
of all chapters would leave every core but one idle. So what has to run is run
here first, and Sphinx finds the results in the cache.
"""

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_cache.base import JupyterCacheAbstract
    from nbformat import NotebookNode
    from sphinx.environment import BuildEnvironment

#: Each page is a process that may take a gigabyte (torch is the oracle).
MOST = 4


def run_pages(env: "BuildEnvironment", names: list[str]) -> list[str]:
    """Run those of the pages whose results are not in the cache.

    A page that fails is left to Sphinx, which runs it again and reports it
    with its place. One page alone is left to Sphinx as well.

    Parameters
    ----------
    env : BuildEnvironment
        With the configuration of MyST-NB.
    names : list of str
        The documents that Sphinx is about to read.

    Returns
    -------
    list of str
        The pages whose results are in the cache now.
    """
    from jupyter_cache import get_cache

    settings = env.mystnb_config  # type: ignore[attr-defined]
    if settings.execution_mode != "cache":
        return []
    cache = get_cache(settings.execution_cache_path)
    waiting = {
        name: notebook
        for name in names
        if (notebook := _notebook(env, name)) is not None
        and not _known(cache, notebook)
    }
    workers = min(len(waiting), os.cpu_count() or 1, MOST)
    if workers < 2:
        return []
    print(f"running {len(waiting)} pages, {workers} at a time", flush=True)
    done = []
    with ThreadPoolExecutor(workers) as pool:
        # A thread only waits for the kernel that it talks to.
        running = {
            pool.submit(
                _run, notebook, env.doc2path(name), settings.execution_timeout
            ): name
            for name, notebook in waiting.items()
        }
        for future in as_completed(running):
            name, result = running[future], future.result()
            how = "failed" if result.err else "ran"
            print(f"  {name} {how} in {result.time:.1f} s", flush=True)
            if not result.err:
                _keep(cache, env.doc2path(name), waiting[name], result.time)
                done.append(name)
    return done


def _notebook(env: "BuildEnvironment", name: str) -> "NotebookNode | None":
    """Return the page's cells as MyST-NB reads them, or None without any."""
    from myst_nb.core.read import create_nb_reader

    path = env.doc2path(name)
    text = Path(path).read_text("utf-8")
    reader = create_nb_reader(
        str(path),
        env.myst_config,  # type: ignore[attr-defined]
        env.mystnb_config,  # type: ignore[attr-defined]
        text,
    )
    return None if reader is None else reader.read(text)


def _known(cache: "JupyterCacheAbstract", notebook: "NotebookNode") -> bool:
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True


def _run(notebook: "NotebookNode", path: str, timeout: int) -> Any:
    """Run a notebook in place; return jupyter-cache's account of it."""
    from jupyter_cache.executors.utils import single_nb_execution

    return single_nb_execution(
        notebook,
        cwd=str(Path(path).parent),
        timeout=timeout,
        allow_errors=False,
        meta_override=True,
    )


def _keep(
    cache: "JupyterCacheAbstract",
    path: str,
    notebook: "NotebookNode",
    seconds: float,
) -> None:
    from jupyter_cache.base import CacheBundleIn

    cache.cache_notebook_bundle(
        CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds}),
        check_validity=False,
        overwrite=True,
    )
