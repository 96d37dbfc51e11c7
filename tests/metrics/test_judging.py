"""Do the judges learn what is there, on equal terms, and repeat themselves?"""

import numpy as np
import pytest
import torch

from timeloom.metrics.discriminator import standardise
from timeloom.metrics.judging import JUDGES, Training, fit_judge, represent
from timeloom.nets.gru import GRUReader
from timeloom.nets.random_convolutions import RandomConvolutions
from timeloom.nets.resnet import ResNet


def waves(count, seed, channels=2, length=16):
    """Waves whose pace is the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count)
    pace = np.where(y == 1, 1.1, 0.6)[:, None]
    wave = np.sin(rng.uniform(0, 6.3, (count, 1)) + pace * np.arange(length))
    x = wave[:, :, None] * np.ones(channels) + 0.2 * rng.standard_normal((count, length, channels))
    return x, y


def judged(how, seed=0, classes=2, confused=False):
    (x, y), (check, told), (test, truth) = (waves(200, s) for s in (0, 1, 2))
    if classes is None:
        y, told = (one.astype(float) for one in (y, told))
    told = 1 - told if confused else told
    scaled = standardise(x, check, test, by=x)
    see = represent(how, scaled[0], seed)
    learn, choose, tried = (see(one) for one in scaled)
    fitted = fit_judge(how, (learn, y), (choose, told), classes=classes, seed=seed)
    return fitted, fitted.read(tried), truth


@pytest.mark.parametrize("kind", JUDGES)
def test_every_judge_reads_classes_as_probabilities(kind):
    fitted, said, truth = judged(Training(kind, steps=150, kernels=60))
    assert np.mean(said.argmax(axis=1) == truth) > 0.9
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-6)
    assert fitted.steps == (0 if kind == "kernels" else 150)


@pytest.mark.parametrize("kind", JUDGES)
def test_every_judge_reads_values(kind):
    _, said, truth = judged(Training(kind, steps=150, kernels=60), classes=None)
    assert said.shape == truth.shape
    assert np.corrcoef(said, truth)[0, 1] > 0.8


@pytest.mark.parametrize("kind", JUDGES)
def test_the_seed_decides_the_judge_and_nothing_else_does(kind):
    how = Training(kind, steps=20, kernels=30)
    before = torch.random.get_rng_state()
    first, again, other = (judged(how, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    torch.testing.assert_close(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("change", [{"steps": 21}, {"batch": 16}, {"rate": 1e-2}, {"kind": "gru"}])
def test_every_setting_of_a_network_changes_the_judge(change):
    plain = judged(Training("resnet", steps=20, rate=2e-2))[1]
    changed = judged(Training(**{"kind": "resnet", "steps": 20, "rate": 2e-2, **change}))[1]
    assert not np.array_equal(plain, changed)


def test_the_weights_are_those_of_the_best_check_not_of_the_last():
    first, last = (
        judged(Training("resnet", steps=30, checks=k), confused=True)[0].chosen for k in (15, 1)
    )
    assert (first, last) == (2, 30)  # the longer it learns, the worse it is on wrong labels


def test_the_number_of_kernels_changes_the_judge():
    few, more = (judged(Training("kernels", kernels=k))[1] for k in (20, 30))
    assert not np.array_equal(few, more)


@pytest.mark.parametrize("wrong", [{"kind": "lstm"}, {"steps": 0}, {"checks": 0}])
def test_a_judge_that_does_not_exist_is_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Training(**wrong)


@pytest.mark.parametrize("net", [ResNet, GRUReader])
@pytest.mark.parametrize("length", [1, 5, 24, 200])
def test_networks_read_any_length_and_are_small(net, length):
    for channels in (1, 30):
        one = net(channels, 3)
        assert sum(p.numel() for p in one.parameters()) < 100_000
        assert one(torch.zeros(2, channels, length)).shape == (2, 3)


def test_a_resnet_reads_a_window_by_itself_and_sees_its_level():
    net = ResNet(2)
    x = torch.randn(8, 2, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(x)[:3], net(x[:3]))
    assert not torch.allclose(net(x), net(x + 1), atol=1e-3)


def test_features_of_a_window_depend_on_no_other_window_read_with_it():
    by, x = (torch.as_tensor(waves(300, s)[0]).transpose(1, 2) for s in (0, 1))
    see = RandomConvolutions(by, count=40, seed=0)
    torch.testing.assert_close(see(x)[:7], see(x[:7]))
    torch.testing.assert_close(see(by).mean(0), torch.zeros(120, dtype=torch.float64))


def test_each_random_convolution_gives_its_largest_its_mean_and_its_share_above():
    by = torch.as_tensor(waves(50, 0)[0]).transpose(1, 2)
    see = RandomConvolutions(by, count=6, seed=3)
    weight, threshold, how = see._banks[0]
    naive = []
    for window in by[:4].numpy():
        padded = np.pad(window, ((0, 0), (how["padding"],) * 2))
        taps = np.arange(weight.shape[2]) * how["dilation"]
        count = padded.shape[1] - taps[-1]
        response = np.array(
            [[(w * padded[:, t + taps]).sum() for t in range(count)] for w in weight.numpy()]
        )
        above = (response > threshold.numpy()).mean(axis=1)
        naive.append(np.concatenate([response.max(axis=1), response.mean(axis=1), above]))
    found = see.read(by[:4])[:, : 3 * len(weight)].numpy()
    np.testing.assert_allclose(found, np.array(naive), atol=1e-10)


@pytest.mark.parametrize("size", [1e5, 1e8, 1e12])
def test_a_ridge_reads_windows_far_beyond_the_real_ones_without_a_crash(size):
    how = Training("kernels", kernels=60)
    (x, y), (check, told), (test, _) = (waves(200, s) for s in (0, 1, 2))
    # Few windows and many features: the system has no solution but for the ridge.
    see = represent(how, standardise(check, by=check)[0], 0)
    far, choose, tried = (see(one) for one in standardise(size * x[:40], check, test, by=check))
    fitted = fit_judge(how, (far, y[:40]), (choose, told), classes=2, seed=0)
    assert np.isfinite(fitted.read(tried)).all()


def test_where_no_ridge_can_be_solved_the_mean_label_is_said(monkeypatch):
    def refuse(_):
        raise np.linalg.LinAlgError

    monkeypatch.setattr("scipy.linalg.cho_factor", refuse)
    fitted, said, _ = judged(Training("kernels", kernels=30), classes=None)
    assert fitted.chosen == np.inf
    np.testing.assert_allclose(said, waves(200, 0)[1].mean())
