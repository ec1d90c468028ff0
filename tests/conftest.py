"""What every test may ask for."""

import os
from pathlib import Path

import numpy as np
import pytest

# Real texts live beside the checkout; a reader's own folder goes first.
TEXTS = Path(__file__).resolve().parents[2] / "shared" / "data"
if TEXTS.is_dir():
    os.environ.setdefault("NLP_DAWN_DATA", str(TEXTS))


@pytest.fixture
def rng() -> np.random.Generator:
    """Return the same random numbers for every test and every run."""
    return np.random.default_rng(0)
