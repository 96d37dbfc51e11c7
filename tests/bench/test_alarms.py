"""Are real windows dealt without overlap, are faults what they say, does the page count right?"""

import numpy as np
import pytest

from timeloom.bench import alarms
from timeloom.bench.faults import FAULTS
from timeloom.bench.records import note, share_of
from timeloom.data.windows import Windows
from timeloom.metrics.record import Record


def waves(seed, count=80):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.standard_normal((count, 12, 3)), axis=1)
    return Windows(x, rng.uniform(0, 9, count), 100 * seed + np.arange(count) // 2)


def test_no_recording_is_in_two_parts():
    parts = alarms.three_parts(waves(0), 1)
    names = [set(part.series.tolist()) for part in parts]
    assert not names[0] & names[1] and not names[1] & names[2] and not names[0] & names[2]
    assert sum(map(len, parts)) == 80 and len(names[0]) == 20


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_windows_or_labels_and_leaves_what_it_was_given(fault):
    fresh, train = waves(1), waves(2)
    before = fresh.x.copy(), train.x.copy()
    made = fault.plant(fresh, train, np.random.default_rng(0))
    same = len(made) == len(fresh) and np.array_equal(made.x, fresh.x)
    assert not same or not np.array_equal(made.y, fresh.y)
    np.testing.assert_array_equal(before[0], fresh.x)
    np.testing.assert_array_equal(before[1], train.x)


def test_the_page_counts_false_alarms_and_faults(tmp_path):
    path = tmp_path / "alarms.jsonl"
    how = {"value": 0.6, "data": "d", "settings": {"deal": 0, "interval": "95 % interval"}}
    real = {**how, "method": "real", "low": 0.55, "high": 0.65}
    rows = [Record("summary_auc", verdict="fail", **real), Record("mmd", verdict="pass", **real)]
    fault = {**how, "method": "time reversed"}
    rows.append(Record("time_asymmetry_error", verdict="fail", **fault))
    note(path, [*rows, Record("summary_auc", verdict="warn", **fault)])
    page = alarms._page(path).read_text()
    assert "| summary_auc | 1 | 1 | 0 | 1 of 1 |" in page
    assert "| time reversed | 1 | 1 | time_asymmetry_error 1, summary_auc 0 |" in page


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b"])
def test_a_part_that_is_none_is_refused(part):
    with pytest.raises(ValueError, match="I/N"):
        share_of(part)
