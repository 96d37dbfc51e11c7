"""Do the pages of channels show what is wrong, for one channel and for hundreds?"""

import json

import numpy as np
import pytest

from timeloom.data.windows import Windows
from timeloom.report.channels import COLUMNS, channel_pages
from timeloom.report.rules import rules
from timeloom.report.sides import Sides


def smooth(seed, *, channels=3, count=80, length=32, y=None):
    noise = np.random.default_rng(seed).standard_normal((count, length + 4, channels))
    x = sum(noise[:, i : length + i] for i in range(5))  # a moving sum: memory of four steps
    return Windows(x, y, channels=tuple(f"c{i}" for i in range(channels)))


def pages(real, synthetic):
    return channel_pages(Sides(real, synthetic, None, asked=(real, synthetic)))


def column(name):
    return [one.name for one in COLUMNS].index(name)


def faulty(fault):
    real, synthetic = smooth(0), smooth(1)
    x = synthetic.x[:, :, 1]
    if fault == "Values":
        x += 4.0
    if fault == "Spread":
        x *= 0.5
    if fault in ("Steps", "Memory", "Spectrum"):  # the same values in any order
        np.random.default_rng(2).permuted(x, axis=1, out=x)
    return pages(real, synthetic)


@pytest.mark.parametrize("fault", [one.name for one in COLUMNS])
def test_the_faulty_channel_is_first_and_its_column_says_what_is_wrong(fault):
    first, *others = faulty(fault)["channels"]
    place = column(fault)
    assert first["name"] == "c1"
    assert first["far"][place] > COLUMNS[place].far
    assert all(one["far"][place] < COLUMNS[place].far for one in others)


def test_curves_and_figures_are_those_of_the_channel():
    real, synthetic = smooth(0), smooth(1)
    synthetic.x[:, :, 2] += 10
    first = pages(real, synthetic)["channels"][0]
    assert first["name"] == "c2"
    mean, sd, least, most, missing = first["figures"]
    assert mean == pytest.approx([real.x[:, :, 2].mean(), synthetic.x[:, :, 2].mean()], rel=1e-4)
    assert sd[0] == pytest.approx(real.x[:, :, 2].std(), rel=1e-4)
    assert most[1] == pytest.approx(synthetic.x[:, :, 2].max(), rel=1e-4)
    assert least[0] == pytest.approx(real.x[:, :, 2].min(), rel=1e-4) and missing == [0, 0]
    low, high, ours, theirs = first["values"]
    assert low < mean[0] < mean[1] < high and sum(ours) == pytest.approx(1, abs=0.02)
    assert len(ours) == len(theirs) == 40
    real_memory = first["memory"][0]
    assert real_memory[0] == pytest.approx(0.8, abs=0.05) and abs(real_memory[8]) < 0.1


def test_lines_are_drawn_per_label_and_with_few_enough_points():
    y = np.linspace(0, 100, 80)
    real, synthetic = smooth(0, y=y, length=1000), smooth(1, y=y, length=1000)
    found = pages(real, synthetic)
    assert [name.split()[0] for name in found["groups"]] == ["label"] * 3
    assert found["stride"] == 5
    assert [len(side) for side in found["channels"][0]["lines"][0]] == [4, 4]
    assert len(found["channels"][0]["lines"][0][0][0]) == 200


@pytest.mark.parametrize(("channels", "length"), [(1, 2), (500, 24), (500, 600)])
def test_one_channel_and_hundreds_fit_on_a_page(channels, length):
    real, synthetic = (smooth(i, channels=channels, count=20, length=length) for i in range(2))
    text = json.dumps(pages(real, synthetic), allow_nan=False)
    assert len(text) < 6_000_000


def test_gaps_constant_channels_and_channels_never_measured_are_drawn_empty():
    real, synthetic = smooth(0), smooth(1)
    real.x[:, :, 0] = 5
    real.x[3, 2, 1] = np.nan
    synthetic.x[:, :, 2] = np.nan
    found = pages(real, synthetic)["channels"]
    assert found[0]["name"] == "c2"  # one side without any value is furthest off
    by_name = {one["name"]: one for one in found}
    json.dumps(by_name, allow_nan=False)
    assert by_name["c2"]["figures"][0][1] is None and by_name["c2"]["figures"][4] == [0, 1]
    assert by_name["c1"]["figures"][4][0] > 0


def test_windows_of_one_time_point_have_values_and_no_memory():
    real, synthetic = (Windows(smooth(i).x[:, :1]) for i in range(2))
    one = pages(real, synthetic)["channels"][0]
    assert one["memory"] == [[], []] and one["steps"] == [] and one["values"]


def test_an_empty_side_has_no_pages():
    assert pages(smooth(0), smooth(1)[:0]) is None


def table(real, synthetic, train):
    return rules(Sides(real, synthetic, train, asked=(real, synthetic), trained=train))


def test_a_rule_of_the_training_windows_and_how_often_it_is_broken():
    real, train, synthetic = (smooth(i) for i in range(3))
    for side in (real, train, synthetic):
        side.x[:, :, 2] = side.x[:, :, 0] + side.x[:, :, 1]
    synthetic.x[:40, :, 2] += 3
    found = table(real, synthetic, train)
    first = found.rows[0]
    assert first["kind"] == "identity" and first["broken"] == "50.0%" and first["example"]
    assert "every training window" in found.text
    kept = table(real, train, None)
    assert {row["broken"] for row in kept.rows} == {"never"}
    assert "every real window" in kept.text


def test_data_without_rules_are_said_to_have_none():
    found = table(smooth(0), smooth(1), smooth(2))
    assert found.rows == [] and "No rule was found" in found.text


def test_a_rule_that_held_out_windows_break_is_not_listed():
    real, train, synthetic = (smooth(i) for i in range(3))
    for side in (real, train, synthetic):
        side.x[:, :, 2] = side.x[:, :, 0] + side.x[:, :, 1]
    assert any(row["kind"] == "identity" for row in table(real, synthetic, train).rows)
    real.x[:, :, 2] += 3
    assert not any(row["kind"] == "identity" for row in table(real, synthetic, train).rows)
