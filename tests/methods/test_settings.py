"""Settings read from a method's source, and run folders checked, without importing torch."""

import dataclasses
import json

import pytest

from timeloom.methods import METHODS, find
from timeloom.methods.settings import FORMAT, check, describe, names, read_run


@pytest.mark.parametrize("method", METHODS)
def test_the_defaults_read_from_the_source_are_those_of_the_class(method):
    fields = {field.name: field.default for field in dataclasses.fields(find(method))}
    assert names(method) == {name: fields[name] for name in names(method)}
    # Only what no text can say (a network) is left out.
    assert {name for name in fields if name not in names(method)} <= {"net", "generator"}


def test_text_becomes_the_type_of_the_setting():
    given = ["width=64", "lr=1", "trend=no", "mmd=fixed", "minutes=none", "windows_seen=1000"]
    assert check("diffmts", given) == {
        "width": 64,
        "lr": 1.0,
        "trend": False,
        "mmd": "fixed",
        "minutes": None,
        "windows_seen": 1000,
    }
    assert type(check("diffmts", ["lr=1"])["lr"]) is float


def test_values_of_a_file_keep_their_type():
    assert check("diffmts", {"width": 64, "lr": 1}) == {"width": 64, "lr": 1.0}


def test_an_equals_sign_may_stand_in_a_value():
    assert check("diffmts", ["mmd=a=b"]) == {"mmd": "a=b"}


@pytest.mark.parametrize(
    "given, words",
    [
        (["widht=1"], "did you mean 'width'"),
        (["width=wide"], "'width' must be int"),
        (["width=1.5"], "'width' must be int"),
        (["trend=perhaps"], "'trend' must be bool"),
        (["width"], "name=value"),
        (["=3"], "name=value"),
        ({"width": True}, "'width' must be int"),
        ({"width": None}, "'width' must be int"),
        (["minutes=long"], "'minutes' must be float or none"),
    ],
)
def test_a_wrong_setting_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        check("diffmts", given)


def test_an_unknown_method_is_refused_and_the_nearest_offered():
    with pytest.raises(ValueError, match="did you mean 'diffmts'"):
        describe("difmts")
    with pytest.raises(ValueError, match="must be one of diffmts"):
        find("difmts")


@pytest.fixture
def run(tmp_path):
    about = {"format": FORMAT, "version": "0.1.0", "method": "diffmts", "settings": {}, "fit": {}}
    (tmp_path / "settings.json").write_text(json.dumps(about))
    (tmp_path / "weights.safetensors").touch()
    return tmp_path


def rewrite(run, **changes):
    file = run / "settings.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_whole_run_is_read(run):
    assert read_run(run)["method"] == "diffmts"


def test_a_run_of_a_newer_timeloom_is_refused(run):
    rewrite(run, format=FORMAT + 1, version="9.0.0")
    with pytest.raises(ValueError, match="written by a newer timeloom .9.0.0"):
        read_run(run)


@pytest.mark.parametrize("changes", [{"format": "x"}, {"settings": 3}])
def test_damaged_settings_are_refused(run, changes):
    rewrite(run, **changes)
    with pytest.raises(ValueError, match="damaged"):
        read_run(run)


def test_a_run_without_weights_is_refused_and_says_how_to_go_on(run):
    (run / "weights.safetensors").unlink()
    with pytest.raises(ValueError, match="half written.*--resume"):
        read_run(run)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no settings.json"):
        read_run(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        read_run(tmp_path / "run")
