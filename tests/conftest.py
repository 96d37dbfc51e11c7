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
def quick_judges():
    """Encoders and legacy judges of a few steps: most tests ask what is done with them, no more.

    Yields:
        The usual number of steps, by (module, name), for tests that ask more.
    """
    from timeloom.metrics import encoder_cache
    from timeloom.metrics.fidelity import judged, predicted

    quick = {
        (encoder_cache, "STEPS"): 8,
        (judged, "STEPS"): 60,
        (predicted, "STEPS"): 60,
        (predicted, "LEGACY_STEPS"): 60,
    }
    usual = {(module, name): getattr(module, name) for module, name in quick}
    for (module, name), steps in quick.items():
        setattr(module, name, steps)
    yield usual
    for (module, name), steps in usual.items():
        setattr(module, name, steps)


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
