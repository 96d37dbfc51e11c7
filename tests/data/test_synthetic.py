"""Made-up domains: one process per seed, many windows of it, exact where they say so."""

import re

import numpy as np
import pytest

from timeloom.data.synthetic import FAMILIES, domain, family_of
from timeloom.data.synthetic.kernels import random_covariance
from timeloom.data.synthetic.mixing import BENDS, LATEST, mixed

NAMES = [family.__name__ for family in FAMILIES]


def spectrum(x):
    """Logarithm of the mean power of each frequency, each window at spread 1, one channel."""
    x = x - x.mean(axis=1, keepdims=True)
    x = x / np.maximum(x.std(axis=1, keepdims=True), 1e-12)
    power = np.abs(np.fft.rfft(x * np.hanning(x.shape[1]), axis=1)[:, 1:]) ** 2
    return np.log(power.mean(axis=0) + 1e-3)


def identities(windows):
    """(channel, its two parts and factors) for every channel that is named by a formula."""
    for i, name in enumerate(windows.channels):
        told = re.fullmatch(r"(\S+) c(\d+) \+ (\S+) c(\d+)", name)
        if told:
            a, j, b, k = told.groups()
            yield i, (int(j), float(a)), (int(k), float(b))


@pytest.mark.parametrize("family", NAMES)
def test_the_same_seed_gives_the_same_windows_and_another_gives_others(family):
    first, again, other = (domain(s, count=20, channels=2, family=family) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.x, again.x)
    assert not np.array_equal(first.x, other.x)


@pytest.mark.parametrize("family", NAMES)
def test_every_family_gives_finite_windows_that_differ_and_move(family):
    for seed in range(8):
        x = domain(seed, count=40, length=64, family=family).x
        assert np.isfinite(x).all()
        assert (np.ptp(x, axis=(0, 1)) > 0).all(), f"seed {seed} has a channel that never moves"
        # A few may rest at the end of a scale throughout.
        different = np.unique(x.reshape(len(x), -1), axis=0)
        assert len(different) > 0.75 * len(x), f"seed {seed} repeats itself"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_gives_the_shape_it_was_asked_for(family):
    for count, length in ((1, 2), (3, 17), (7, 200)):
        assert family(np.random.default_rng(1), count, length).shape == (count, length)


def test_every_family_is_drawn():
    assert {family_of(seed) for seed in range(200)} == set(NAMES)


def test_a_family_that_is_named_is_taken():
    free = next(seed for seed in range(50) if family_of(seed) not in ("switches", "seasonal"))
    same = domain(free, count=5, family=family_of(free))
    np.testing.assert_array_equal(same.x, domain(free, count=5).x)
    assert not np.array_equal(domain(free, count=5, family="switches").x, same.x)


def test_windows_of_one_domain_share_their_spectrum_and_domains_do_not():
    # Each half of a domain is to find its other half among those of 60 domains: were windows drawn
    # from processes of their own, one in sixty would. Two walks may well be alike, hence not all.
    halves = [domain(seed, count=200, length=96, channels=1).x[:, :, 0] for seed in range(60)]
    left = np.array([spectrum(x[:100]) for x in halves])
    right = np.array([spectrum(x[100:]) for x in halves])
    away = np.square(left[:, None] - right[None]).mean(axis=2)
    assert (away.argmin(axis=1) == np.arange(60)).mean() > 0.7
    assert np.median(np.diag(away)) < 0.05 * np.median(away)


def test_the_process_stays_the_same_at_another_count():
    for seed in range(12):
        few, many = (domain(seed, count=count, channels=1) for count in (150, 301))
        own = np.square(spectrum(few.x[:, :, 0]) - spectrum(many.x[:, :, 0])).mean()
        assert own < 0.5, f"seed {seed}: {own:.2f}"


def test_channels_of_a_domain_are_coupled():
    strongest = []
    for seed in range(40):
        x = domain(seed, count=100, channels=4).x
        x = x.reshape(-1, 4)
        together = np.abs(np.corrcoef(x.T)) - np.eye(4)
        strongest.append(together.max())
    assert np.median(strongest) > 0.5
    assert min(strongest) < 0.3, "some domains have channels that are nearly free"


def test_channels_that_follow_from_others_do_so_exactly():
    found = 0
    for seed in range(60):
        windows = domain(seed, count=10, length=32, channels=6)
        for i, (j, a), (k, b) in identities(windows):
            np.testing.assert_array_equal(
                windows.x[:, :, i], a * windows.x[:, :, j] + b * windows.x[:, :, k]
            )
            assert len({i, j, k}) == 3
            found += 1
    assert found >= 10, "a third of such domains hold an identity"


def test_counts_and_switches_alone_in_a_channel_are_whole_numbers():
    for family in ("counts", "switches"):
        whole = 0
        for seed in range(20):
            x = domain(seed, count=10, channels=1, family=family).x
            whole += bool((x == np.round(x)).all() and (x >= 0).all())
        assert whole >= 5, family


def test_domains_have_one_to_sixteen_channels_mostly_few():
    channels = np.array([domain(s, count=2, length=8).shape[1] for s in range(150)])
    assert channels.min() == 1 and 9 <= channels.max() <= 16
    assert np.mean(channels <= 8) > 0.75 and 0.1 < np.mean(channels == 1) < 0.4


def test_units_and_offsets_differ_between_domains():
    spreads = np.array([domain(s, count=5, length=32, channels=1).x.std() for s in range(60)])
    assert spreads.max() / spreads.min() > 1e3


def test_a_lag_moves_a_channel_and_nothing_else():
    # Among mixed domains of one hidden series some channel must be a later copy of another.
    t = np.arange(200 + LATEST)
    hidden = np.sin(t**1.5 / 40)[None].repeat(3, axis=0)
    late = 0
    for seed in range(60):
        x, _ = mixed(np.random.default_rng(seed), [hidden], 2, [True])
        if x.shape == (3, 200, 2) and np.isin(x, hidden).all():
            late += not np.array_equal(x[:, :, 0], x[:, :, 1])
    assert late >= 1


def test_bends_are_monotone():
    z = np.linspace(-6, 6, 500)
    for bend in BENDS:
        assert (np.diff(bend(z)) >= 0).all() and np.ptp(bend(z)) > 0.5


def test_a_random_covariance_is_one_and_has_unit_variance_on_average():
    for seed in range(40):
        k = random_covariance(np.random.default_rng(seed), 48)
        np.testing.assert_array_equal(k, k.T)
        assert np.linalg.eigvalsh(k).min() > 0
        assert np.trace(k) / 48 == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"seed": -1}, "seed must be at least 0; got -1"),
        ({"seed": 0, "count": 0}, "count must be at least 1"),
        ({"seed": 0, "length": 1}, "length must be at least 2"),
        ({"seed": 0, "channels": 0}, "channels must be at least 1"),
        ({"seed": 0, "family": "sinus"}, "family must be one of gaussian_process"),
    ],
)
def test_wrong_numbers_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        domain(**wrong)
