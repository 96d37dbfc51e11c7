"""Is the page of scores one small offline file that finds the alarms and trusts no name?"""

import base64
import json
import re

import numpy as np
import pytest

from timeloom.data.windows import Series
from timeloom.report.scores import alarms, blamed, events, stamp, write_scores_page

EVIL = '</script><script>alert("x")</script>'


def recording(length=400, channels=3, faults=((100, 1),), name="pump", **more):
    """A recording, its scores and channel scores; each fault is (time point, channel)."""
    rng = np.random.default_rng(length)
    values = rng.standard_normal((length, channels))
    for place, channel in faults:
        values[place : place + 5, channel] += 30
    blame = values**2
    names = more.pop("channels_", tuple(f"sensor {c}" for c in range(channels)))
    return Series(values, name=name, channels=names, **more), blame.mean(axis=1), blame


def page_of(path, *recordings, threshold=100.0, **more):
    write_scores_page(path, *zip(*recordings, strict=True), threshold, **more)
    return path.read_text(encoding="utf-8")


def data_of(text):
    return json.loads(re.search(r"const page = (.*);\n", text)[1])


def decoded(part, what, kind):
    return np.frombuffer(base64.b64decode(part[what]), kind)


def test_alarms_are_unbroken_stretches_the_highest_first():
    one, other = recording(faults=((100, 1), (300, 2))), recording(faults=())
    two = alarms(*zip(other, one, strict=True), 100.0)
    assert sorted((a.recording, a.begin, a.end) for a in two) == [(1, 100, 105), (1, 300, 305)]
    assert two[0].score >= two[1].score == one[1][two[1].peak]
    assert {a.begin: a.channels[0][0] for a in two} == {100: "sensor 1", 300: "sensor 2"}


def test_a_missing_score_ends_an_alarm_and_raises_none():
    series, score, blame = recording()
    score = score.copy()
    score[102] = np.nan
    found = alarms([series], [score], [blame], 100.0)
    assert sorted((a.begin, a.end) for a in found) == [(100, 102), (103, 105)]


def test_shares_of_blame_leave_out_what_was_not_measured():
    found = blamed(np.array([[3.0, np.nan, 1.0, -5.0]] * 2), "abcd")
    assert found == (("a", 0.75), ("c", 0.25))


def test_events_are_counted_for_labels_of_0_and_1_only():
    label = np.zeros(400)
    label[[5, 6, 9]] = 1
    assert [ends.tolist() for ends in events(recording(label=label)[0])] == [[5, 9], [7, 10]]
    assert events(recording(label=np.arange(400))[0]) is None
    assert events(recording(label=np.array("worn"))[0]) is None
    assert events(recording()[0]) is None


def test_a_stamp_reads_as_in_the_data():
    days = np.datetime64("2026-01-31T23:59") + np.arange(400) * np.timedelta64(1, "m")
    assert stamp(recording(time=days)[0], 1) == "2026-02-01 00:00:00"
    assert stamp(recording(time=np.arange(400) * 0.5)[0], 3) == "1.5"
    assert stamp(recording(length=5000)[0], 4000) == "4,000"


def test_the_page_asks_the_network_for_nothing_and_trusts_no_name(tmp_path):
    one = recording(name=EVIL, channels_=(EVIL, "<b>", "c"))
    text = page_of(tmp_path / "p.html", one, made={"command": EVIL})
    assert "alert(" in text and EVIL not in text
    assert not re.search(r"<link|@import|url\(|<iframe|<img|src=|https?:", text)
    assert data_of(text)["recordings"][0]["name"] == EVIL


def test_without_javascript_a_table_tells_every_alarm(tmp_path):
    text = page_of(tmp_path / "p.html", recording(), recording(length=300, name="fan", faults=()))
    body = text[: text.index("<script>")]
    assert "1 alarm in 700 time points" in body
    row = re.search(r"<tbody>\n<tr>(.*?)</tr>", body, re.S)[1]
    assert all(word in row for word in ("pump", ">100<", ">104</td>", "sensor 1 "))
    assert 'id="chart" hidden' in body


def test_every_cell_names_itself_where_a_narrow_screen_hides_the_head_of_the_table(tmp_path):
    text = page_of(tmp_path / "p.html", recording(), recording(length=300, name="fan"))
    cells = re.findall(r"<td[^>]*>", re.search(r"<tbody>(.*?)</tbody>", text, re.S)[1])
    assert len(cells) == 2 * 5 and all('data-name="' in cell for cell in cells)
    assert ".alarms thead { display: none; }" in text and "attr(data-name)" in text


def test_colours_are_asked_once_per_picture(tmp_path):
    """Asked per point, they took most of the time that a long recording's picture needs."""
    text = page_of(tmp_path / "p.html", recording())
    assert text.count("getComputedStyle(document.documentElement)") == 1
    assert "tints[name] ??=" in text and text.count("tints = {}") == 3


def test_no_alarm_and_no_threshold_make_a_page_too(tmp_path):
    text = page_of(tmp_path / "p.html", recording(faults=()), threshold=float("inf"))
    assert "No alarm in 400 time points" in text and data_of(text)["threshold"] is None


def test_short_recordings_are_kept_point_by_point(tmp_path):
    series, score, blame = recording()
    series.values[7, 0] = np.nan
    one = data_of(page_of(tmp_path / "p.html", (series, score, blame)))["recordings"][0]
    (part,) = one["parts"]
    assert (part["size"], part["count"]) == (1, 400)
    levels = decoded(part, "values", "<u2").reshape(3, 400).T
    low, high = np.array(one["low"]), np.array(one["high"])
    back = np.where(levels == 65535, np.nan, low + levels / 65534 * (high - low))
    np.testing.assert_allclose(back, series.values, atol=1e-3)
    np.testing.assert_allclose(decoded(part, "score", "<f4"), score, rtol=1e-6)
    halves = decoded(part, "blame", "<u2").astype("<u4") << 16
    np.testing.assert_allclose(halves.view("<f4").reshape(3, 400).T, blame, rtol=0.01)


def test_long_recordings_keep_every_extreme_in_levels_and_points_round_alarms(tmp_path):
    long = recording(length=300_000, channels=6, faults=((123_456, 4),))
    path = tmp_path / "p.html"
    one = data_of(page_of(path, long))["recordings"][0]
    assert path.stat().st_size < 5_000_000
    sizes = [part["size"] for part in one["parts"]]
    assert len(sizes) > 3 and sizes[:-1] == sorted(sizes[:-1], reverse=True)
    for part in one["parts"][:-1]:
        scores = decoded(part, "score", "<f4").reshape(2, -1)
        spot = 123_456 // part["size"]
        assert part["count"] == -(-300_000 // part["size"])
        own = long[1][spot * part["size"] : (spot + 1) * part["size"]]
        np.testing.assert_allclose(scores[:, spot], [own.min(), own.max()], rtol=1e-6)
    detail = one["parts"][-1]
    assert detail["size"] == 1 and detail["begin"] < 123_456 < detail["begin"] + detail["count"]


def test_dead_channels_gaps_and_many_recordings_fit_on_a_page(tmp_path):
    several = []
    for i in range(120):
        series, score, blame = recording(length=2000, name=str(i), faults=((i, 1),))
        series.values[:, 0], series.values[:, 2] = 5.0, np.nan
        several.append((series, score, np.where(np.isnan(series.values), np.nan, blame)))
    path = tmp_path / "p.html"
    text = page_of(path, *several)
    assert len(data_of(text)["recordings"]) == 100 and path.stat().st_size < 8_000_000
    assert "20 recordings" in text


def test_an_empty_recording_is_no_error(tmp_path):
    empty = Series(np.zeros((0, 2))), np.zeros(0), np.zeros((0, 2))
    assert "No alarm in 0 time points" in page_of(tmp_path / "p.html", empty)


@pytest.mark.parametrize("count", [1, 2])
def test_recordings_can_be_chosen_where_there_are_several(tmp_path, count):
    text = page_of(tmp_path / "p.html", *[recording(name=str(i)) for i in range(count)])
    assert ('<select id="recording">' in text) == (count > 1)
