"""Are public generators run as said: budget kept, stand-ins right, wrong folders refused?"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from timeloom.bench.public_child import Average, Budget, rewrite
from timeloom.bench.public_code import LENGTH, RIVALS, clone_of, train_and_sample


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def taken(count, size, seconds, *, cost=1.0, per_step=1, whole=False):
    """The batches that a training gets whose every batch costs ``cost`` seconds."""
    clock = Clock()
    x = np.arange(count, dtype=float).reshape(-1, 1, 1)
    budget = Budget(seconds, clock)
    found = []
    for batch in budget.batches(x, size, np.random.default_rng(0), per_step=per_step, whole=whole):
        found.append(batch.ravel())
        clock.now += cost
    return found, budget


def test_training_ends_with_the_step_in_which_the_budget_runs_out():
    found, budget = taken(8, 4, 2.5)
    assert len(found) == 3
    assert budget.spent() == 3.0


def test_a_budget_below_one_step_makes_one_step():
    assert len(taken(8, 4, 0.001)[0]) == 1


def test_a_step_of_several_batches_is_served_whole():
    assert len(taken(8, 4, 2.5, per_step=2)[0]) == 4
    assert len(taken(8, 4, 0.001, per_step=2)[0]) == 2


def test_every_epoch_holds_every_window_once():
    found, _ = taken(10, 4, 6)
    assert [len(one) for one in found] == [4, 4, 2, 4, 4, 2]
    for epoch in (found[:3], found[3:]):
        assert sorted(np.concatenate(epoch)) == list(range(10))
    assert list(np.concatenate(found[:3])) != list(np.concatenate(found[3:]))


def test_whole_batches_leave_the_rest_of_an_epoch_out():
    assert [len(one) for one in taken(10, 4, 4, whole=True)[0]] == [4, 4, 4, 4]


@pytest.mark.parametrize("whole", [True, False])
def test_a_set_below_the_batch_is_one_batch(whole):
    assert [len(one) for one in taken(3, 64, 2, whole=whole)[0]] == [3, 3]


def test_waiting_costs_nothing_and_work_does():
    budget = Budget(1.0)
    time.sleep(0.3)
    waited = budget.spent()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    assert waited < 0.15
    assert budget.spent() - waited >= 0.2


def test_the_patterns_of_einops_are_what_they_say(rng):
    x = torch.from_numpy(rng.normal(size=(2, 3, 5)))
    y = torch.from_numpy(rng.normal(size=(2, 3, 4, 5)))
    assert torch.equal(rewrite(x, "b f d -> b f () d")[1, 2, 0], x[1, 2])
    assert torch.equal(rewrite(x, "b ... -> b (...)", "mean")[1, 5:10], x[1, 1])
    summed = torch.stack([y[1, frequency, 2] for frequency in range(3)]).sum(0)
    assert torch.allclose(rewrite(y, "b f t d -> b t d", "sum")[1, 2], summed)
    assert rewrite(torch.arange(6), "t -> () () t ()").shape == (1, 1, 6, 1)
    wide = rewrite(torch.arange(3), "f -> b f d", b=2, d=4)
    assert wide.shape == (2, 3, 4)
    assert (wide[:, 2] == 2).all()
    with pytest.raises(ImportError, match="pip install einops"):
        rewrite(x, "b f d -> d f b")


def test_the_average_copies_for_a_hundred_steps_and_then_lags_behind():
    model = nn.Linear(1, 1, bias=False)
    average = Average(model, beta=0.5, update_every=10)
    kept = []
    for step in range(131):
        model.weight.data.fill_(float(step))
        average.update()
        kept.append(average.ema_model.weight.item())
    by_hand = 100.0
    for step in (110, 120, 130):
        by_hand += 0.5 * (step - by_hand)  # from 10 steps on the decay is at its greatest
    assert kept[:10] == [0.0] * 10
    assert kept[99:101] == [90.0, 100.0]
    assert kept[130] == pytest.approx(by_hand)
    assert not average.ema_model.weight.requires_grad


def test_an_unknown_rival_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one of diffusion-ts, imagentime; got 'timegan'"):
        clone_of("timegan", tmp_path)


@pytest.mark.parametrize("name", RIVALS)
def test_a_missing_clone_is_refused_with_what_to_run(name, tmp_path):
    with pytest.raises(ValueError, match="no such folder. Run: git clone") as caught:
        clone_of(name, tmp_path)
    assert RIVALS[name].commit in str(caught.value)
    assert str(tmp_path / RIVALS[name].clone) in str(caught.value)


def planted(name, folder, code=""):
    """A folder with the layout of a rival, and other code in it."""
    rival = RIVALS[name]
    for file in (*rival.code, rival.setting):
        path = folder / rival.clone / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code if file.endswith(".py") else "", encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", RIVALS)
def test_a_folder_that_is_something_else_is_refused(name, tmp_path):
    clone = clone_of(name, planted(name, tmp_path))
    (clone / RIVALS[name].setting).unlink()
    with pytest.raises(ValueError, match=f"there is no {RIVALS[name].setting}. Run: git clone"):
        clone_of(name, tmp_path)


FINE = {"windows": np.zeros((3, LENGTH, 2)), "count": 2, "cpu_seconds": 1.0, "seed": 0}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"windows": np.zeros((3, 12, 2))}, r"\(window, 24, channel\).*got \(3, 12, 2\)"),
        ({"windows": np.zeros((LENGTH, 2))}, r"got \(24, 2\)"),
        ({"windows": np.zeros((0, LENGTH, 2))}, r"got \(0, 24, 2\)"),
        ({"windows": np.full((3, LENGTH, 2), np.nan)}, "must be finite"),
        ({"count": 0}, "count must be at least 1"),
        ({"cpu_seconds": 0.0}, "cpu_seconds above 0"),
        ({"cpu_seconds": float("nan")}, "cpu_seconds above 0"),
        ({"sampler": "fast"}, "sampler of ImagenTime must be 'own'; got 'fast'"),
    ],
)
def test_input_that_makes_no_sense_is_refused(wrong, said, tmp_path):
    folder = planted("imagentime", tmp_path, "raise RuntimeError('was run')")
    with pytest.raises(ValueError, match=said):
        train_and_sample("imagentime", folder, **{**FINE, **wrong})


def test_public_code_that_fails_is_heard(tmp_path):
    folder = planted("imagentime", tmp_path, "raise OSError('a weight is gone')")
    with pytest.raises(RuntimeError, match="(?s)imagentime failed.*a weight is gone"):
        train_and_sample("imagentime", folder, **FINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sampler", "calls", "parameters"),
    [
        ("diffusion-ts", "own", 500, 353_531),
        ("diffusion-ts", "fast", 50, 353_531),
        ("imagentime", "own", 35, 57_564_551),
    ],
)
def test_a_public_generator_trains_and_draws(name, sampler, calls, parameters):
    folder = os.environ.get("TIMELOOM_RIVALS")
    if not folder:
        pytest.skip("TIMELOOM_RIVALS, the folder of both clones, is not set")
    time_steps = np.arange(LENGTH)[None, :, None]
    phase = np.random.default_rng(0).uniform(0, 6, size=(12, 1, 7))
    windows = 50 + 10 * np.sin(time_steps / 4 + phase)
    windows[..., 6] = 3.0
    outcome = train_and_sample(
        name, Path(folder), windows, 3, cpu_seconds=1.0, seed=0, sampler=sampler
    )
    assert outcome.samples.shape == (3, LENGTH, 7)
    assert np.isfinite(outcome.samples).all()
    assert (outcome.samples[..., 6] == 3.0).all()
    assert outcome.train_seconds >= 1.0
    assert outcome.sample_seconds > 0
    assert outcome.train_steps >= 1
    assert (outcome.calls, outcome.parameters) == (calls, parameters)
    if name == "diffusion-ts":  # whose sampler clips
        assert 39 < outcome.samples[..., :6].min() < outcome.samples[..., :6].max() < 61
