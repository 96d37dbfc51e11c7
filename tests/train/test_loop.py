import json
import os
import signal

import numpy as np
import pytest
import torch

from tests.methods.toy import waves
from timeloom.methods.diffmts import DiffMTS
from timeloom.train.recipe import Recipe
from timeloom.train.source import Shuffled

QUICK = dict(width=8, train_steps=30, batch=16, validations=3)


def weights(model):
    return {name: value.clone() for name, value in model.model_.state_dict().items()}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def losses(folder):
    lines = (folder / "train.jsonl").read_text().splitlines()
    return [(row["step"], row["loss"], row["validation"]) for row in map(json.loads, lines)]


@pytest.mark.parametrize("stop", [1, 11, 25])
def test_a_resumed_run_equals_an_unbroken_one_bitwise(tmp_path, stop):
    unbroken = DiffMTS(**QUICK)
    for _ in unbroken.training(waves(), folder=tmp_path / "a"):
        pass
    broken = DiffMTS(**QUICK)
    with pytest.raises(KeyboardInterrupt):
        for progress in broken.training(waves(), folder=tmp_path / "b"):
            if progress.step == stop:
                os.kill(os.getpid(), signal.SIGINT)
    assert not (tmp_path / "b" / "weights.safetensors").exists()
    resumed = DiffMTS(**QUICK)
    steps = [p.step for p in resumed.training(waves(), folder=tmp_path / "b", resume=True)]
    assert steps[0] > stop
    assert_equal(weights(unbroken), weights(resumed))
    np.testing.assert_array_equal(unbroken.sample(3).x, resumed.sample(3).x)
    assert losses(tmp_path / "a")[-1] == losses(tmp_path / "b")[-1]
    assert not (tmp_path / "b" / "checkpoint.safetensors").exists()


def test_what_was_logged_after_the_checkpoint_is_logged_once(tmp_path):
    model = DiffMTS(**QUICK)
    with pytest.raises(KeyboardInterrupt):
        for progress in model.training(waves(), folder=tmp_path):
            if progress.step == 10:
                os.kill(os.getpid(), signal.SIGTERM)
    with open(tmp_path / "train.jsonl", "a") as file:
        file.write('{"step": 29, "loss": 1}\n{"step": 3')  # and a line that a kill cut short
    for _ in DiffMTS(**QUICK).training(waves(), folder=tmp_path, resume=True):
        pass
    steps = [step for step, *_ in losses(tmp_path)]
    assert steps == sorted(set(steps)) and steps[-1] == 30


def test_resuming_on_other_data_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        for _ in DiffMTS(**QUICK).training(waves(), folder=tmp_path):
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(ValueError, match="begun on other data"):
        DiffMTS(**QUICK).fit(waves(seed=1), folder=tmp_path, resume=True)


@pytest.mark.parametrize("change", [dict(width=16), dict(lr=1e-3), dict(train_steps=60)])
def test_resuming_with_another_setting_is_refused(tmp_path, change):
    with pytest.raises(KeyboardInterrupt):
        for _ in DiffMTS(**QUICK).training(waves(), folder=tmp_path):
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(ValueError, match=f"was begun with {next(iter(change))}="):
        DiffMTS(**{**QUICK, **change}).fit(waves(), folder=tmp_path, resume=True)


def test_resuming_a_run_that_has_ended_is_refused_and_changes_nothing(tmp_path):
    DiffMTS(**QUICK).fit(waves(), folder=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="has ended, so there is nothing to resume"):
        DiffMTS(**{**QUICK, "target": "noise"}).fit(waves(), folder=tmp_path, resume=True)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_training_anew_leaves_no_weights_of_the_run_before(tmp_path):
    DiffMTS(**QUICK).fit(waves(), folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        for _ in DiffMTS(**{**QUICK, "target": "noise"}).training(waves(), folder=tmp_path):
            os.kill(os.getpid(), signal.SIGINT)
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_damaged_checkpoint_is_said(tmp_path):
    DiffMTS(**QUICK)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"half")
    with pytest.raises(ValueError, match="checkpoint"):
        DiffMTS(**QUICK).fit(waves(), folder=tmp_path, resume=True)


def test_the_seed_decides_the_run_and_nothing_is_seeded_globally():
    torch.manual_seed(7)
    np.random.seed(7)
    before = torch.get_rng_state()
    first = DiffMTS(**QUICK).fit(waves())
    assert torch.equal(torch.get_rng_state(), before)
    assert_equal(weights(first), weights(DiffMTS(**QUICK).fit(waves())))
    other = weights(DiffMTS(**QUICK, seed=1).fit(waves()))
    assert not torch.equal(
        other["denoiser.net.head.weight"], weights(first)["denoiser.net.head.weight"]
    )


def test_the_signal_handlers_are_given_back():
    before = signal.getsignal(signal.SIGINT)
    DiffMTS(**QUICK).fit(waves())
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "budget", [dict(train_steps=7), dict(windows_seen=7 * 16), dict(minutes=0.01)]
)
def test_each_budget_ends_the_run(budget):
    *_, last = DiffMTS(**{**QUICK, **budget}).training(waves())
    assert last.share == 1
    if "minutes" in budget:
        assert last.seconds >= 0.6
    else:
        assert (last.step, last.seen) == (7, 7 * 16)


@pytest.mark.parametrize("validations", [1, 5])
def test_the_held_out_loss_is_measured_as_often_as_asked(validations):
    model = DiffMTS(**{**QUICK, "validations": validations})
    seen = {progress.validation for progress in model.training(waves())} - {None}
    assert len(seen) == validations


def test_the_rate_rises_then_falls_as_a_cosine_to_zero():
    recipe = Recipe(lr=1.0, warmup=0.1)
    assert recipe.rate(0.05) == 0.5
    assert recipe.rate(0.1) == 1.0
    assert abs(recipe.rate(0.55) - 0.5) < 1e-9
    assert recipe.rate(1.0) < 1e-12


def test_every_epoch_sees_every_window_once():
    source = Shuffled((torch.arange(80),), seed=0)
    rows = []
    for step in range(10):  # 160 rows of 80 windows: two epochs
        (taken,) = source.take(16 * step, 16, 0, 1)
        rows += taken.tolist()
    assert sorted(rows[:80]) == list(range(80)) == sorted(rows[80:])
    assert rows[:80] != rows[80:]


def test_the_weights_that_are_kept_are_the_best_on_the_held_out_part():
    model = DiffMTS(**{**QUICK, "train_steps": 60, "validations": 6})
    best = None
    for progress in model.training(waves()):
        if progress.best:
            best = progress.validation
    model.model_.eval()
    from timeloom.diffusion.draws import StepDraws
    from timeloom.methods.prepare import hold_out

    held_out = model._tensors(hold_out(waves(), model.held_out, 0)[1])
    with torch.no_grad():
        again = float(model.loss(model.model_, *held_out, rng=StepDraws(0, 0)))
    assert abs(again - best) < 1e-6
