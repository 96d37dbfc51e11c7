"""Downloads from a publisher: checked, whole or not at all, and never twice."""

import functools
import hashlib
import http.server
import threading

import pytest

from tests.data import published
from timeloom.data.sets import download, find, get, load_dataset, names


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and remembers what was asked for."""

    asked: list[str]

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def publisher(tmp_path):
    """A folder, its address, and the paths that were fetched from it."""
    folder = tmp_path / "published"
    folder.mkdir()
    serve = functools.partial(Files, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}", server.asked
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("TIMELOOM_DATA", raising=False)
    monkeypatch.setattr("timeloom.data.sets._cache", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def two_files(publisher, monkeypatch):
    """A set of two files, one in a folder of its own."""
    folder = publisher[0]
    (folder / "data").mkdir()
    (folder / "data" / "stock_data.csv").write_text(
        "Open,High,Low,Close,Adj_Close,Volume\n1,2,3,4,5,6\n"
    )
    (folder / "LICENSE").write_text("as you like")
    paths = ("data/stock_data.csv", "LICENSE")
    files = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in paths}
    listed = {"stock_goog": download.Source("http://127.0.0.1:9", files)}
    monkeypatch.setattr(download, "listed", listed.get)
    return publisher


def test_the_recorded_checksums_are_those_of_the_published_text(publisher, cache, tmp_path):
    folder, address, asked = publisher
    published.cmapss(folder / "CMAPSS", find("cmapss_fd001"), "FD001")
    got = get("cmapss_fd001", tmp_path / "mine", f"{address}/CMAPSS/")
    assert (got, len(asked)) == (tmp_path / "mine", 3)
    assert published.same(load_dataset("fd001", got), load_dataset("fd001"))


def test_a_download_lies_in_the_cache_and_is_found_there(two_files, cache):
    _, address, asked = two_files
    assert get("stock_goog", base_url=address) == cache / "stock_goog" == find("stock_goog")
    assert load_dataset("stock_goog")[0].values.tolist() == [[1, 2, 3, 4, 5, 6]]
    assert sorted(asked) == ["/LICENSE", "/data/stock_data.csv"]
    assert [path.name for path in cache.iterdir()] == ["stock_goog"]


def test_a_second_call_fetches_nothing(two_files, cache, tmp_path):
    _, address, asked = two_files
    for _ in range(2):
        get("stock_goog", base_url=address)
        get("stock_goog", tmp_path / "mine", address)
    assert len(asked) == 4


def test_an_interrupted_download_goes_on_where_it_stopped(two_files, cache):
    folder, address, asked = two_files
    kept = (folder / "LICENSE").read_bytes()
    (folder / "LICENSE").unlink()
    with pytest.raises(ConnectionError, match="try again, what has arrived is kept"):
        get("stock_goog", base_url=address)
    assert not (cache / "stock_goog").exists()
    (folder / "LICENSE").write_bytes(kept)
    get("stock_goog", base_url=address)
    assert asked.count("/data/stock_data.csv") == 1


def test_a_file_that_is_missing_in_a_folder_is_added(two_files, tmp_path):
    _, address, asked = two_files
    mine = get("stock_goog", tmp_path / "mine", address)
    (mine / "LICENSE").unlink()
    (mine / "notes").write_text("kept")
    asked.clear()
    get("stock_goog", mine, address)
    assert asked == ["/LICENSE"]
    assert sorted(path.name for path in mine.iterdir()) == ["LICENSE", "data", "notes"]


def test_a_wrong_checksum_is_refused_and_nothing_is_left(two_files, cache):
    folder, address, _ = two_files
    (folder / "LICENSE").write_text("something else")
    with pytest.raises(ValueError, match="LICENSE must have the sha256"):
        get("stock_goog", base_url=address)
    assert list(cache.iterdir()) == []


def test_a_server_that_does_not_answer_is_named(two_files, cache):
    with pytest.raises(ConnectionError, match=r"http://127.0.0.1:9/data"):
        get("stock_goog")


def test_what_a_person_must_fetch_says_from_where_and_to_where(cache):
    for name in names():
        if download.listed(name) is None:
            with pytest.raises(ValueError, match=f"{name} must be fetched by hand: take .* from "):
                get(name)
    with pytest.raises(ValueError, match=r"train/machine-\*.txt.*licence: MIT.*TIMELOOM_DATA"):
        get("smd")


def test_what_is_already_here_is_not_fetched(cache):
    assert get("cmapss_fd001").name == "cmapss_fd001"


def test_every_download_has_a_checksum_and_an_address_that_lasts():
    found = {name: download.listed(name) for name in names()}
    there = {name: source for name, source in found.items() if source is not None}
    assert {"nab", "skab", "etth1", "exchange_rate", "stock_goog", "emg"} <= set(there)
    for source in there.values():
        assert source.base is None or source.base.startswith("https://")
        assert all(len(sha) == 64 for sha in source.files.values())
