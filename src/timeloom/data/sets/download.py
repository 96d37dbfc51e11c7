"""Downloads from publishers: every file with its checksum, a folder whole or not at all."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Source", "download", "listed"]

LISTED = Path(__file__).with_name("downloads.json")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set's files are.

    Attributes:
        base: What every address begins with; None where no address is known to last.
        files: The sha256 of every file by its path, both in the folder and in the address.
    """

    base: str | None
    files: dict[str, str]


def listed(name: str) -> Source | None:
    """What can be downloaded of a data set; None where the publisher's checksums are not known.

    The addresses name one commit or one version, so that what they hold does not change.
    """
    found = json.loads(LISTED.read_text(encoding="utf-8")).get(name)
    return None if found is None else Source(found["base"], found["files"])


def download(files: dict[str, str], base: str, folder: Path) -> Path:
    """Fetches what is not yet in ``folder``.

    Files gather in a hidden folder beside it and move when all are there. A file that is already
    there with the right checksum, in either folder, is not fetched again.

    Args:
        files: sha256 by path.
        base: What every address begins with.
        folder: Where they go.

    Returns:
        ``folder``.

    Raises:
        ValueError: If a file has another checksum; nothing is left behind.
        ConnectionError: If the server does not answer, or does not have a file; what has arrived
            is kept for the next call.
    """
    wanted = {path: sha for path, sha in files.items() if not _holds(folder / path, sha)}
    if not wanted:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    arriving = folder.with_name(f".{folder.name}.part")
    for path, sha in wanted.items():
        _fetch(f"{base.rstrip('/')}/{path}", arriving / path, sha, arriving)
    if not folder.exists():
        os.replace(arriving, folder)
        return folder
    for path in wanted:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(arriving / path, folder / path)
    shutil.rmtree(arriving)
    return folder


def _holds(path: Path, sha: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha


def _fetch(url: str, path: Path, sha: str, arriving: Path) -> None:
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")  # who calls says what happens
    try:
        pooch.retrieve(url, f"sha256:{sha}", fname=path.name, path=path.parent)
    except RequestException as error:
        raise ConnectionError(
            f"{url} could not be fetched ({error}); try again, what has arrived is kept."
        ) from error
    except ValueError as error:
        shutil.rmtree(arriving)
        raise ValueError(
            f"{url} must have the sha256 {sha}; got a file with another one, which was deleted. "
            "The publisher may have changed it: fetch it by hand and compare."
        ) from error
