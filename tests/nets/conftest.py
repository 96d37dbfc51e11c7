import pytest
import torch


@pytest.fixture
def fixed_weights():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
