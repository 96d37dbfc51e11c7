import numpy as np
import pytest

from timeloom.data.frame import Frame


def walks(count=400, length=12, channels=4, seed=0):
    """Random walks, two of them mixed into every channel, and noise of each channel's own."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, length, channels)).cumsum(axis=1) * np.arange(channels, 0, -1)
    return hidden @ np.random.default_rng(99).normal(size=(channels, channels))


def naive_transform(frame, x):
    """(component, time) of one window (time, channel): every sum written out."""
    length, channels = x.shape
    parts = frame.components
    out = np.zeros((parts, length))
    for k in range(parts):
        course = [sum(x[t, c] * frame.mix_[c, k] for c in range(channels)) for t in range(length)]
        full = frame.white_from is not None and k >= frame.white_from
        for f in range(length):
            size = np.sqrt((1 if f == 0 else 2) / length)
            wave = [size * np.cos(np.pi * f * (t + 0.5) / length) for t in range(length)]
            height = sum(a * b for a, b in zip(wave, course, strict=True))
            height /= frame.gain_[k, f] ** (1.0 if full else frame.whitening)
            for t in range(length):
                out[k, t] += height * wave[t]
    return out


def coefficients(w):
    """(window, component, frequency): orthonormal cosine transform of the last axis."""
    from scipy.fft import dct

    return dct(w, norm="ortho", axis=-1)


@pytest.mark.parametrize(
    "how",
    [
        dict(whitening=1.0),
        dict(whitening=0.5),
        dict(whitening=0.5, white_from=2),
        dict(kind="plain", whitening=0.7),
    ],
)
def test_it_equals_the_sums_written_out(how):
    x = walks(count=30, length=7)
    frame = Frame(**how).fit(x)
    np.testing.assert_allclose(frame.transform(x[:1])[0], naive_transform(frame, x[0]), atol=1e-9)


@pytest.mark.parametrize("kind", ["principal", "plain"])
@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("length", [1, 5, 24])
def test_there_and_back_changes_nothing(kind, whitening, length):
    x = walks(count=60, length=length)
    frame = Frame(kind, whitening, white_from=1).fit(x)
    np.testing.assert_allclose(frame.inverse(frame.transform(x)), x, rtol=1e-8, atol=1e-8)
    w = np.random.default_rng(1).normal(size=(3, frame.components, length))
    np.testing.assert_allclose(frame.transform(frame.inverse(w)), w, rtol=1e-6, atol=1e-6)


def test_components_are_uncorrelated_and_the_widest_comes_first():
    x = walks(count=500)
    w = Frame(whitening=0.0).fit(x - x.mean(axis=(0, 1))).transform(x - x.mean(axis=(0, 1)))
    covariance = np.cov(w.transpose(1, 0, 2).reshape(4, -1))
    spread = np.sqrt(np.diag(covariance))
    assert (np.diff(spread) < 0).all()
    np.testing.assert_allclose(covariance / np.outer(spread, spread), np.eye(4), atol=1e-9)


def test_white_windows_have_coefficients_of_spread_one():
    x = walks(count=2_000)
    spread = np.sqrt(np.square(coefficients(Frame().fit(x).transform(x))).mean(axis=0))
    assert abs(spread - 1).max() < 0.01
    assert abs(coefficients(x.mT)).std(axis=0).max() > 10  # of the windows as they were


def test_half_whitening_leaves_the_square_root_except_beyond_what_has_weights():
    x = walks(count=2_000)
    frame = Frame(whitening=0.5, white_from=2).fit(x)
    spread = np.sqrt(np.square(coefficients(frame.transform(x))).mean(axis=0))
    np.testing.assert_allclose(spread[:2], np.sqrt(frame.gain_[:2]), rtol=0.02)
    np.testing.assert_allclose(spread[2:], 1, atol=0.02)


def test_exact_rules_between_channels_come_back_exactly():
    x = walks(count=80, channels=3)
    x = np.concatenate([x, x[..., :1] + 2 * x[..., 1:2], x[..., 2:]], axis=2)
    frame = Frame().fit(x)
    assert frame.components == 3
    made = frame.inverse(np.random.default_rng(0).normal(size=(50, 3, 12)))
    np.testing.assert_allclose(made[..., 3], made[..., 0] + 2 * made[..., 1], atol=1e-9)
    np.testing.assert_allclose(made[..., 4], made[..., 2], atol=1e-9)


def test_so_do_rules_with_an_offset():
    """As min-max scaling makes them: the direction without variance is not 0 there."""
    x = walks(count=80, channels=2)
    x = np.concatenate([x, 3.0 + x[..., :1] - x[..., 1:]], axis=2)
    frame = Frame().fit(x)
    assert frame.components == 2
    made = frame.inverse(np.random.default_rng(0).normal(size=(50, 2, 12)))
    np.testing.assert_allclose(made[..., 2], 3.0 + made[..., 0] - made[..., 1], atol=1e-9)
    np.testing.assert_allclose(frame.inverse(frame.transform(x)), x, atol=1e-8)


def test_the_order_of_channels_does_not_matter():
    x = np.exp(walks(count=200) / 10)  # skewed, so that signs are settled
    order = np.array([2, 0, 3, 1])
    frame, other = Frame().fit(x), Frame().fit(x[..., order])
    np.testing.assert_allclose(
        other.transform(x[..., order]), frame.transform(x), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(other.gain_, frame.gain_, rtol=1e-9)


def test_of_few_windows_the_smoothed_spectrum_is_nearer_to_the_truth():
    truth = np.log(np.square(coefficients(walks(20_000, channels=1).mT)).mean(axis=0)[0])
    smoothed, raw = [], []
    for seed in range(1, 41):
        few = walks(10, channels=1, seed=seed)
        own = np.square(coefficients(few.mT)).mean(axis=0)[0]
        gain = np.square(Frame("plain").fit(few).gain_[0])
        raw.append(np.square(np.log(own) - truth)[1:].mean())
        smoothed.append(np.square(np.log(gain) - truth)[1:].mean())
    # Ten windows know a variance to sqrt(2 / 10); what neighbours add takes a third of it at least.
    assert np.mean(smoothed) < 0.67 * np.mean(raw)
    assert np.mean(np.array(smoothed) < raw) > 0.8


@pytest.mark.parametrize("whitening", [1.0, 0.5])
def test_unit_normal_numbers_come_back_with_the_covariance_of_the_data(whitening):
    """The Gaussian law that components beyond ``white_from`` are left to, at any whitening."""
    rng = np.random.default_rng(5)
    # Three sources, each with a spectrum of its own and no correlation between its coefficients.
    spectra = np.array([[9, 4, 2, 1, 0.5, 0.5], [3, 2, 2, 1, 1, 0.2], [0.2, 0.5, 1, 0.5, 0.1, 0.1]])
    cosines = coefficients(np.eye(6))  # (time, frequency)
    sources = (rng.normal(size=(20_000, 3, 6)) * spectra) @ cosines.T
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    x = sources.mT @ turn
    frame = Frame(whitening=whitening, white_from=1).fit(x)
    w = rng.normal(size=(20_000, 3, 6))
    # The first one has weights: a network would learn the spectrum that is left of it.
    left = frame.gain_[0] ** (1 - whitening)
    w[:, 0] = (w[:, 0] * left) @ cosines.T
    made, real = (part.reshape(20_000, -1) for part in (frame.inverse(w), x))
    size = np.sqrt(np.square(real).mean(axis=0))
    got, want = (part.T @ part / 20_000 / np.outer(size, size) for part in (made, real))
    # Six standard deviations of a correlation of 20,000 draws, twice.
    np.testing.assert_allclose(got, want, atol=0.06)


def test_a_constant_channel_does_not_make_a_component_and_comes_back():
    x = walks(count=30, channels=2)
    x = np.concatenate([x, np.zeros((30, 12, 1))], axis=2)
    frame = Frame().fit(x)
    assert frame.components == 2
    assert np.abs(frame.inverse(frame.transform(x))[..., 2]).max() < 1e-9
    plain = Frame("plain").fit(x)
    np.testing.assert_allclose(plain.inverse(plain.transform(x)), x, atol=1e-9)


def test_more_channels_than_values_leave_as_many_components_as_there_are():
    x = walks(count=2, length=5, channels=40)
    frame = Frame().fit(x)
    assert frame.components <= 10
    np.testing.assert_allclose(frame.inverse(frame.transform(x)), x, atol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_what_was_learned_comes_back_from_its_state(offset):
    x = walks(count=30, channels=2)
    x = np.concatenate([x, offset - x[..., :1]], axis=2)
    frame = Frame(whitening=0.5).fit(x)
    again = Frame(whitening=0.5).restore(frame.state())
    np.testing.assert_array_equal(again.transform(x), frame.transform(x))
    w = frame.transform(x)
    np.testing.assert_array_equal(again.inverse(w), frame.inverse(w))
    assert ("shift_" in frame.state()) == (offset > 0)


def test_what_nothing_can_be_learned_from_is_refused():
    with pytest.raises(ValueError, match="kind must be one of principal, plain; got 'wavelet'"):
        Frame("wavelet").fit(walks(3))
    with pytest.raises(ValueError, match="windows must vary"):
        Frame().fit(np.zeros((5, 6, 2)))
    with pytest.raises(ValueError, match="windows must vary"):
        Frame("plain").fit(np.zeros((5, 6, 1)))
