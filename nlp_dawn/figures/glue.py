"""Numbers that a cell measures and a sentence quotes."""

import os

import numpy as np


def glue(name: str, value: float | int | str) -> None:
    """Make a number available to the page's text as ``{glue:text}`name```.

    Where a page is being built, the number is stored with the cell's output,
    without being shown. In a notebook nothing happens: its text was filled in
    when the notebook was made.

    Parameters
    ----------
    name : str
        What the text calls it, unique on the page.
    value : number or str
        What the cell measured.

    Raises
    ------
    TypeError
        If it is neither a number nor a string.

    Examples
    --------
    >>> glue("divergence", 0.1438)
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.item()
    if not isinstance(value, float | int | str):
        raise TypeError(f"glue takes a number or text, got {type(value)}")
    if os.environ.get("NLP_DAWN_FIGURES") != "static":
        return
    from IPython.display import display

    # The form that MyST-NB's glue roles look for.
    prefix = "application/papermill.record/"
    display(  # type: ignore[no-untyped-call]
        {f"{prefix}text/plain": repr(value)},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": prefix}},
    )
