import numpy as np
import pytest

from timeloom.data.alarms import rule_of
from timeloom.methods.spans import FAINT, LEAST, TOP, Judge, Reach, Spans, smoothed


def errors(count, channels=3, seed=0):
    found = np.abs(np.random.default_rng(seed).standard_normal((count, channels)))
    found[10:14, 0] = np.nan
    return found


def slow_means(values, width, ahead):
    """The definition, row by row: means, and the share of the span that was measured."""
    out, full = np.full(values.shape, np.nan), np.zeros(values.shape)
    for row in range(len(values)):
        own = values[max(0, row + ahead - width + 1) : row + ahead + 1]
        for c in range(values.shape[1]):
            measured = [one for one in own[:, c] if not np.isnan(one)]
            full[row, c] = len(measured) / width
            if measured:
                out[row, c] = sum(measured) / len(measured)
    return out, full


def slow_scores(normal, values, widths, lag):
    """The definition: the largest of the spans, each measured by what is normal for it."""
    points, channels = [], []
    for width in widths:
        ahead = (width - 1) // 2 if lag is None else min(lag, (width - 1) // 2)
        usual, own = slow_means(normal, width, ahead), slow_means(values, width, ahead)
        spread = np.maximum(np.nanstd(usual[0], axis=0), np.nanstd(normal, axis=0) / width**0.5)
        spread = np.maximum(spread, FAINT)
        above, there = (
            np.nan_to_num(np.maximum((one - np.nanmean(usual[0], axis=0)) / spread, 0) * full**0.5)
            for one, full in (usual, own)
        )
        points.append(there.mean(axis=1) / max(np.quantile(above.mean(axis=1), TOP), LEAST))
        channels.append(there / np.maximum(np.quantile(above, TOP, axis=0), LEAST))
    return np.max(points, axis=0), np.max(channels, axis=0)


@pytest.mark.parametrize(("width", "ahead"), [(1, 0), (4, 1), (5, 0), (9, 4), (200, 99)])
def test_means_over_a_span_are_those_of_its_rows(width, ahead):
    values = errors(60)
    for first, last in ((0, 60), (21, 40)):
        found = smoothed(values, width, ahead, first, last)
        for own, slow in zip(found, slow_means(values, width, ahead), strict=True):
            np.testing.assert_allclose(own, slow[first:last], atol=1e-12)


@pytest.mark.parametrize("lag", [None, 0, 2])
def test_scores_are_the_largest_of_the_spans(lag):
    normal, values = errors(200), errors(80, seed=1)
    values[40:50, 1] += 5
    points, channels = Spans((8, 1, 32), lag, 1, "mean", True).fit([normal]).scores(values)
    slow = slow_scores(normal, values, (1, 8, 32), lag)
    np.testing.assert_allclose(points, slow[0], atol=1e-9)
    np.testing.assert_allclose(channels, slow[1], atol=1e-9)
    assert 36 <= points.argmax() < 58 and channels.max(axis=0).argmax() == 1


def test_where_spans_are_cut_off_normal_rows_are_no_more_abnormal_than_elsewhere():
    """A mean of the first few rows spreads more than that of a whole span."""
    spans = Spans((1, 16, 256), 0, 1, "mean", True).fit([errors(4_000)])
    edges, middle = [], []
    for seed in range(1, 60):
        points, _ = spans.scores(errors(600, seed=seed)[20:])
        edges.append(points[:64] > 1)
        middle.append(points[300:] > 1)
    assert np.mean(edges) < 2 * np.mean(middle)


def test_rows_that_nobody_measured_say_nothing_of_what_is_normal():
    normal = errors(2_000)
    gaps = np.where((np.arange(2_000) % 4 == 0)[:, None], normal, np.nan)
    spans = [Spans((1,), None, 1, "mean", True).fit([one]) for one in (normal, gaps)]
    assert spans[1].most == pytest.approx(spans[0].most, rel=0.1)
    scores = spans[1].normal_scores(gaps)
    assert np.isnan(scores).sum() == 1_500 and np.isfinite(spans[1].scores(gaps)[0]).all()


def test_what_is_usual_is_one():
    normal = errors(5_000)
    points, channels = Spans((1, 16), None, 1, "mean", True).fit([normal]).scores(normal)
    # The larger of two spans passes 1 more often than either, and less often than both together.
    assert 0.01 <= (points > 1).mean() <= 0.021
    assert (channels > 1).mean() < 0.025


@pytest.mark.parametrize("lag", [None, 0, 5])
@pytest.mark.parametrize("size", [1, 13, 90])
def test_rows_that_come_in_pieces_are_scored_alike(lag, size, monkeypatch):
    monkeypatch.setattr("timeloom.methods.spans.CHUNK", 17)
    spans = Spans((1, 8, 32), lag, 1, "mean", True).fit([errors(200)])
    values = errors(90, seed=2)
    reach = Reach(spans, 3)
    found = [reach.push(values[at : at + size]) for at in range(0, 90, size)]
    assert sum(len(points) for points, _ in found) == max(0, 90 - spans.ahead)
    assert len(reach.held) <= spans.behind + spans.ahead + size
    points, channels = zip(*found, reach.push(np.zeros((0, 3)), end=True), strict=True)
    whole = spans.scores(values)
    np.testing.assert_allclose(np.concatenate(points), whole[0], atol=1e-9)
    np.testing.assert_allclose(np.concatenate(channels), whole[1], atol=1e-9)


def test_spans_that_no_recording_holds_are_left_out():
    spans = Spans((1, 16, 64), None, 1, "mean", True).fit([errors(50), errors(30)])
    assert spans.used == (1, 16)
    assert spans.ahead == 7 and spans.behind == 8
    assert Spans((64,), None, 1, "mean", True).fit([errors(20)]).used == (64,)


def test_errors_may_be_taken_as_they_are():
    values = np.abs(np.random.default_rng(0).standard_normal((50, 4)))
    points, channels = Spans((1,), 0, 1, "square", False).fit([values]).scores(values)
    np.testing.assert_array_equal(channels, values)
    np.testing.assert_allclose(points, np.sqrt((values**2).mean(axis=1)))
    points, _ = Spans((1,), 0, 1, "max", False).fit([values]).scores(values)
    np.testing.assert_array_equal(points, values.max(axis=1))


def test_a_channel_that_was_never_measured_counts_nothing_and_a_dead_one_once_it_moves():
    normal = errors(300)
    normal[:, 1], normal[:, 2] = np.nan, 0.0
    spans = Spans((1, 16), None, 1, "mean", True).fit([normal])
    values = errors(100, seed=3)
    values[:, 2] = 0.0
    values[50:60, 2] = 1.0
    points, channels = spans.scores(values)
    assert np.isfinite(points).all() and np.isfinite(channels).all()
    assert (channels[:, 1] == 0).all()
    assert channels[50:60, 2].min() > 5 * channels[:40].max()


def test_a_judge_comes_back_from_its_arrays():
    normal = errors(300)
    spans = Spans((1, 16), None, 1, "mean", True).fit([normal])
    judge = Judge(spans, rule_of("conformal", 0.05).fit([spans.scores(normal)[0]]), ("said",))
    same = Judge.restored(Spans((1, 16), None, 1, "mean", True), judge.facts(), judge.arrays())
    np.testing.assert_array_equal(same.spans.scores(normal)[0], spans.scores(normal)[0])
    assert same.rule.threshold_ == judge.rule.threshold_
    assert same.said == judge.said and same.said[0] == "said"
