import numpy as np
import pytest

from timeloom.methods.ddmt import DDMT


def waves(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.sin(np.arange(count)[:, None] / 5 + np.arange(2)) + 0.1 * rng.standard_normal(
        (count, 2)
    )


@pytest.fixture(scope="module")
def detector():
    how = dict(window=16, width=8, train_steps=60, batch=16, block=2, hop=5, device="cpu")
    return DDMT(**how).fit(waves(600))


def joined(answers):
    return tuple(np.concatenate(parts) for parts in list(zip(*answers, strict=True))[:4])


@pytest.mark.parametrize("lag", [0, 3, 16])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_stream_scores_as_the_whole_recording_does(detector, lag, size):
    x = waves(123, seed=1)
    x[40:44, 0] = np.nan
    detector.lag = lag
    whole, channels = detector.anomaly_scores(x), detector.channel_scores(x)
    stream = detector.stream(lag=lag)
    answers = [stream.push(x[at : at + size]) for at in range(0, len(x), size)]
    rows, scores, own, alarms = joined([*answers, stream.finish()])
    np.testing.assert_array_equal(rows, np.arange(123))
    np.testing.assert_allclose(scores, whole, atol=1e-6 * whole.max())
    np.testing.assert_allclose(own, channels, atol=1e-6 * channels.max())
    np.testing.assert_array_equal(alarms, scores > detector.threshold_)
    if size == 1:  # answered at once, but for the latency that is stated
        late = [at - r for at, a in enumerate(answers) for r in a.rows if r >= 16]
        assert max(late) == stream.latency


def test_a_stream_goes_on_in_another_process(detector, tmp_path):
    x = waves(150, seed=2)
    one = detector.stream(lag=4)
    first = one.push(x[:70])
    np.savez(tmp_path / "state.npz", **one.state())
    other = detector.stream(lag=4, state=dict(np.load(tmp_path / "state.npz")))
    rows, scores, *_ = joined([first, other.push(x[70:]), other.finish()])
    detector.lag = 4
    np.testing.assert_array_equal(rows, np.arange(150))
    np.testing.assert_allclose(scores, detector.anomaly_scores(x), atol=1e-6)
    with pytest.raises(ValueError, match="a stream with lag 4 and 2 channels; got lag 5"):
        detector.stream(lag=5, state=one.state())


def test_what_is_kept_does_not_grow(detector):
    stream, x = detector.stream(), waves(2_000)
    sizes = []
    for at in range(0, 2_000, 50):
        stream.push(x[at : at + 50], np.arange(at, at + 50))
        sizes.append(sum(value.size for value in stream.state().values()))
    # The longest span holds 256 rows of 2 channels in 3 views.
    assert max(sizes[20:]) <= max(sizes[:20]) < 2_000


def test_missing_rows_are_counted_as_not_measured_and_said(detector):
    x, time = waves(100, seed=3), np.arange(100) * 60.0
    kept = np.r_[0:50, 53:100]
    stream = detector.stream()
    answer = stream.push(x[kept], time[kept])
    assert answer.notes == ("3 rows are missing; they count as not measured.",)
    np.testing.assert_array_equal(answer.taken, kept)
    rows, scores, *_ = joined([answer, stream.finish()])
    np.testing.assert_array_equal(rows, np.arange(100))
    x[50:53] = np.nan
    detector.lag = 0
    np.testing.assert_allclose(scores, detector.anomaly_scores(x), atol=1e-6)


def test_late_and_repeated_rows_are_left_out_and_said(detector):
    x, time = waves(60, seed=4), np.arange(60.0)
    order = np.r_[0:30, 10:20, 29, 30:60]
    stream = detector.stream()
    answer = stream.push(x[order], time[order])
    assert answer.notes == ("11 rows came late or repeated a time stamp; they were left out.",)
    assert answer.taken.tolist() == [*range(30), *[-1] * 11, *range(30, 60)]
    np.testing.assert_array_equal(joined([answer, stream.finish()])[0], np.arange(60))


def test_after_a_long_silence_all_begins_anew(detector):
    x, time = waves(80, seed=5), np.r_[0:40, 100_000:100_040]
    stream = detector.stream()
    answer = stream.push(x, time)
    assert answer.notes == ("99,960 rows are missing; scoring begins anew.",)
    np.testing.assert_array_equal(answer.taken, np.arange(80))
    rows, scores, *_ = joined([answer, stream.finish()])
    detector.lag = 0
    expected = [detector.anomaly_scores(part) for part in (x[:40], x[40:])]
    np.testing.assert_allclose(scores, np.concatenate(expected), atol=1e-6)
    np.testing.assert_array_equal(rows, np.arange(80))


def test_a_row_from_before_a_restart_is_late_one_by_one_as_in_a_batch(detector):
    x, time = waves(102), np.append(np.arange(100.0), [5_000.0, 50.0])
    whole = detector.stream().push(x, time)
    stream = detector.stream()
    single = [stream.push(row, stamp) for row, stamp in zip(x, time, strict=True)]
    assert whole.taken[-1] == single[-1].taken[0] == -1
    assert any("begins anew" in note for note in single[-2].notes)


def test_a_new_pace_is_learned(detector):
    stream, time = detector.stream(), np.append(np.arange(100.0), 100 + 2 * np.arange(200.0))
    notes = [note for at in range(300) for note in stream.push(waves(1)[0], time[at]).notes]
    assert 20 < len(notes) < 40  # until half of the last steps are of the new pace


@pytest.mark.parametrize(
    "stamps",
    [
        ["2026-01-01T00:00", "2026-01-01T00:01", "2026-01-01T00:02"],
        np.array(["2026-01-01T00:00", "2026-01-01T00:01", "2026-01-01T00:02"], "datetime64[s]"),
        [1.0, 2.0, 3.0],
    ],
)
def test_time_stamps_may_be_numbers_or_dates(detector, stamps):
    stream = detector.stream()
    assert stream.push(waves(3), stamps).notes == ()
    assert stream.count == 3
    assert stream.push(waves(1)[0], stamps[0]).notes != ()


def test_bad_rows_are_said_and_nothing_is_lost(detector):
    stream = detector.stream()
    stream.push(waves(10))
    for rows, time, said in (
        (np.zeros((2, 3)), None, "rows must have the 2 channels"),
        (np.full((1, 2), np.inf), None, "finite or NaN; got inf"),
        (np.zeros((2, 2)), [1.0], "one time stamp per row; got 1 of 2"),
        (np.zeros((1, 2)), ["soon"], "numbers or dates"),
    ):
        with pytest.raises(ValueError, match=said):
            stream.push(rows, time)
    assert stream.count == 10
    with pytest.raises(ValueError, match="lag must be from 0 to the window's 16"):
        detector.stream(lag=17)
