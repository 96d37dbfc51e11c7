"""Are planted faults caught, each by a row that names it, and is real data left alone?"""

import numpy as np
import pytest

from timeloom.bench.alarms import SETS, _windows, three_parts
from timeloom.bench.faults import FAULTS
from timeloom.data.sets import load_dataset
from timeloom.evaluation import evaluate_rows, known_metrics


@pytest.fixture(autouse=True)
def usual_judges(quick_judges, monkeypatch):
    for (module, name), steps in quick_judges.items():
        monkeypatch.setattr(module, name, steps)


NAMES = [fault.name for fault in FAULTS]


def rows_of(name, fault, *, deal=0, limit=300, metrics=None, seeds=(0, 1)):
    """The rows for unseen real windows with a fault planted into them."""
    train, real, fresh = three_parts(_windows(name), deal)
    if fault is not None:
        fresh = fault.plant(fresh, train, np.random.default_rng(deal))
    rows = evaluate_rows(real, fresh, train, seeds=seeds, limit=limit, metrics=metrics)
    return {row.metric: row for row in rows}


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_a_planted_fault_is_failed_by_a_row_that_names_it(fault):
    rows = rows_of("cmapss_fd001", fault, metrics=fault.rows)
    assert "fail" in {row.verdict for row in rows.values()}, rows


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_the_rows_that_name_a_fault_leave_real_windows_alone(fault):
    rows = rows_of("cmapss_fd001", None, metrics=fault.rows)
    assert "fail" not in {row.verdict for row in rows.values()}, rows


def test_every_row_that_names_a_fault_is_a_metric():
    assert {row for fault in FAULTS for row in fault.rows} <= set(known_metrics())


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_no_row_fails_unseen_real_windows(name):
    try:
        load_dataset(name)
    except ValueError as error:
        assert "is not here" in str(error)
        pytest.skip(f"{name} needs $TIMELOOM_DATA")
    for deal in range(3):
        rows = rows_of(name, None, deal=deal, limit=500, seeds=(0, 1, 2))
        failed = {metric: row.why for metric, row in rows.items() if row.verdict == "fail"}
        assert not failed
