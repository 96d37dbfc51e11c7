"""Fixtures shared by all tests; shapes in annotations are checked while they run."""

import os
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

# Floors 1 and 2 only: above them arrays are checked by the library itself, with advice.
install_import_hook(["timeloom.diffusion", "timeloom.nets", "timeloom.train"], "beartype.beartype")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets; tests that need it are skipped without it."""
    given = os.environ.get("TIMELOOM_DATA")
    if not given:
        pytest.skip("TIMELOOM_DATA is not set")
    return Path(given)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
