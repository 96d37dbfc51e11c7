"""What every metric owes its reader, and every evaluation its memory."""

import inspect
import re

import numpy as np
import pytest

from timeloom.metrics import fidelity, privacy
from timeloom.metrics.metric import ABOUT, Interval, Metric

METRICS = (*fidelity.METRICS, *privacy.METRICS)
OWED = (
    "formula",
    "range",
    r"(lower|higher) is better",
    "unit",
    "smallest sensible sample",
    "source",
)


def told(function):
    """A docstring with what it refers to by "as :func:`other`" in the same module."""
    text = inspect.getdoc(function) or ""
    home = inspect.getmodule(function)
    for name in re.findall(r":func:`~?([\w.]+)`", text):
        other = getattr(home, name.rpartition(".")[2], None)
        text += "\n" + (inspect.getdoc(other) or "" if other is not function else "")
    return re.sub(r"\s+", " ", text).lower()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_says_formula_range_direction_unit_smallest_sample_and_source(metric):
    text = told(metric.function)
    assert [owed for owed in OWED if not re.search(owed, text)] == []


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_well_described(metric):
    assert metric.about in ABOUT and metric.better in ("lower", "higher")
    assert metric.meaning.endswith(".") and metric.copies in ("good", "bad")
    assert metric.far > 0 and metric.smallest >= 1


def test_no_two_metrics_have_one_name():
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)


def windows(seed, count=260):
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((count, 16, 3))
    return np.cumsum(steps, axis=1).astype(np.float32)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_gives_one_number_or_an_interval_and_repeats_itself(metric):
    given = {
        "real": windows(0),
        "synthetic": windows(1),
        "train": windows(2),
        "held_out": windows(0),
        "groups": (np.arange(260) // 2, np.arange(260)),
        "seed": 3,
    }
    before = {name: np.copy(value) for name, value in given.items() if name in ("real", "train")}
    found = metric(**given)
    assert isinstance(found, (float, Interval))
    if isinstance(found, Interval) and np.isfinite(found.value):
        assert found.low <= found.value <= found.high
    assert all(np.array_equal(given[name], value) for name, value in before.items())
    if metric.default:
        again = metric(**given)
        np.testing.assert_equal(again, found)


def test_a_metric_reads_its_number_out_of_a_shared_answer():
    metric = Metric("m", lambda real: (1.0, 2.0), "lower", "", "M.", needs=("real",))
    second = Metric("s", metric.function, "lower", "", "S.", needs=("real",), then=lambda x: x[1])
    assert second(real=None, synthetic=None) == 2.0


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_skipped_below_the_smallest_sample_that_it_names(metric):
    said = re.search(r"smallest sensible sample: ([\d,]+)", told(metric.function))
    assert said is not None
    assert metric.smallest >= int(said[1].replace(",", "").rstrip("."))
