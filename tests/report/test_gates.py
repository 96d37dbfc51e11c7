"""Do gates hold what they say, and are those that cannot hold refused at once?"""

import numpy as np
import pytest

from timeloom.data.windows import Windows
from timeloom.evaluation import Report
from timeloom.metrics.record import Record
from timeloom.report.gates import check_gates, failed_gates, parse_gate

RECORDS = [
    Record("tstr_auroc", 0.85, verdict="pass", better="higher"),
    Record("spread_error", 0.2, verdict="fail"),
    Record("recall", why="Too few windows.", better="higher"),
]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("tstr_auroc>=0.85", True),
        ("tstr_auroc > .85", False),
        ("tstr_auroc<=0.85", True),
        ("tstr_auroc<0.85", False),
        (" spread_error<1e-1 ", False),
        ("spread_error>-1", True),
        ("no-fail", False),
    ],
)
def test_a_gate_compares_the_figure_with_the_number(text, holds):
    assert (failed_gates(RECORDS, [parse_gate(text)]) == []) is holds


def test_a_broken_gate_says_measure_value_and_what_was_wanted():
    (line,) = failed_gates(RECORDS, [parse_gate("tstr_auroc>=0.9")])
    assert line == "gate tstr_auroc>=0.9 does not hold: tstr_auroc is 0.85, wanted >= 0.9"
    (line,) = failed_gates(RECORDS, [parse_gate("no-fail")])
    assert line == "gate no-fail does not hold: 1 failed: spread_error"


def test_what_was_not_measured_holds_no_gate():
    skipped, absent = failed_gates(RECORDS, [parse_gate("recall<2"), parse_gate("other<2")])
    assert skipped.endswith("recall was not measured: Too few windows")
    assert absent.endswith("other was not measured")
    assert failed_gates(RECORDS[:1], [parse_gate("no-fail")]) == []


@pytest.mark.parametrize(
    "text", ["", "tstr_auroc", "tstr>=", "a=0.9", "a==1", ">=1", "a>=nan", "a>b"]
)
def test_what_is_no_gate_is_refused(text):
    with pytest.raises(ValueError, match=r"as tstr_auroc>=0\.9"):
        parse_gate(text)


def test_gates_on_other_measures_are_refused_with_the_nearest_names():
    names = [one.metric for one in RECORDS]
    check_gates([parse_gate("recall>0"), parse_gate("no-fail")], names)
    with pytest.raises(ValueError, match="did you mean tstr_auroc"):
        check_gates([parse_gate("tstr_auc>0")], names)
    with pytest.raises(ValueError, match="there are tstr_auroc, spread_error"):
        check_gates([parse_gate("zzz>0")], names)
    with pytest.raises(ValueError, match="not measured on these labels"):
        check_gates([parse_gate("tstr_rmse<9")], names, known=[*names, "tstr_rmse"])


def test_a_report_answers_for_its_gates_itself():
    report = Report(tuple(RECORDS), *2 * [Windows(np.zeros((2, 3, 1)))])
    assert report.failed_gates(["tstr_auroc>=0.8"]) == []
    assert len(report.failed_gates(["tstr_auroc>=0.9", "no-fail"])) == 2
    with pytest.raises(ValueError, match="got 'tstr_auroc'"):
        report.failed_gates(["tstr_auroc"])


def test_no_fail_does_not_hold_where_nothing_was_measured():
    for records in (RECORDS[2:], []):
        (line,) = failed_gates(records, [parse_gate("no-fail")])
        assert line.endswith("does not hold: nothing was measured: every row was skipped")
