"""Fixtures shared by all tests; shapes in annotations are checked while they run."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

# Floors 1 and 2 only: above them arrays are checked by the library itself, with advice.
install_import_hook(["timeloom.diffusion", "timeloom.nets", "timeloom.train"], "beartype.beartype")

# What evaluations keep (encoders) must not land in the cache of whoever runs the tests; processes
# that tests start inherit it.
if "TIMELOOM_TESTS" not in os.environ:
    os.environ["TIMELOOM_TESTS"] = os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()


@pytest.fixture(scope="session", autouse=True)
def quick_encoder():
    """Encoders trained for a few steps: most tests ask what is done with one, no more."""
    from timeloom.metrics import encoder_cache

    usual, encoder_cache.STEPS = encoder_cache.STEPS, 8
    yield usual
    encoder_cache.STEPS = usual


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
