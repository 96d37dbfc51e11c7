"""A file is written whole or not at all."""

import os

import pytest

from timeloom.data.atomic import atomic


def test_what_is_written_takes_the_final_name_at_the_end_only(tmp_path):
    final = tmp_path / "weights.bin"
    with atomic(final) as temporary:
        temporary.write_bytes(b"whole")
        assert not final.exists()
        assert temporary.parent == final.parent and temporary.suffix == ".bin"
    assert final.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path, error):
    final = tmp_path / "weights.bin"
    final.write_bytes(b"old")
    with pytest.raises(type(error)), atomic(final) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert final.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [final]


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with atomic(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink() and target.read_text() == "new"


def test_a_file_is_readable_by_whom_the_system_says(tmp_path):
    plain, final = tmp_path / "plain", tmp_path / "final"
    plain.write_text("x")
    with atomic(final) as temporary:
        temporary.write_text("x")
    assert final.stat().st_mode == plain.stat().st_mode


def test_a_missing_folder_and_a_folder_in_place_of_a_file_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), atomic(tmp_path / "nowhere" / "x"):
        pass
    with pytest.raises(IsADirectoryError, match="expected a file"), atomic(tmp_path):
        pass


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs Linux's /proc")
def test_an_unwritable_folder_is_noticed_before_the_work_and_under_the_final_name():
    # Not even the superuser may create a file there.
    with pytest.raises(OSError, match="'/proc/self/out.csv'"), atomic("/proc/self/out.csv"):
        raise AssertionError("the work had begun")
