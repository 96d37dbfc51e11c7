"""What the command line says, where it says it, and how an error becomes one sentence."""

import errno
import linecache
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import timeloom

__all__ = [
    "PACKAGE",
    "leads",
    "one_line",
    "os_sentence",
    "ours",
    "problem",
    "say",
    "show",
    "writing",
]

PACKAGE = str(Path(timeloom.__file__).parent)

_ADVICE = {
    errno.ENOSPC: "there is no space left for {path}; free some, or write to another disk",
    errno.EDQUOT: "your quota leaves no space for {path}; free some, or write to another disk",
    errno.EFBIG: "{path} grew beyond the file size allowed here; ask for less, or raise the limit",
    errno.EACCES: "there is no permission for {path}; choose another place, or change its rights",
    errno.EPERM: "there is no permission for {path}; choose another place, or change its rights",
    errno.EROFS: "{path} lies on a disk that is read-only; choose another place",
    errno.EISDIR: "{path} is a folder where a file was expected; give the name of a file",
    errno.ENOTDIR: "{path} lies below a file where a folder was expected; choose another place",
    errno.EEXIST: "{path} exists already; choose another name",
    errno.ENOENT: "{path} does not exist; check how it is spelled",
}


def leads() -> bool:
    """Whether this process is the one that speaks, among those of ``accelerate launch``."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """A remark on stderr: what was guessed, what was left out."""
    if leads():
        print(text, file=sys.stderr, flush=True)


def show(text: str) -> None:
    """A result on stdout."""
    if leads():
        print(text, flush=True)


def problem(text: str) -> None:
    """The one line about what is wrong."""
    print(f"timeloom: {text}", file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """The same text without line breaks."""
    return " ".join(text.split())


def os_sentence(error: OSError) -> str:
    """What an error of the operating system means for the user, and what to do about it."""
    path = error.filename if error.filename is not None else "the file"
    known = _ADVICE.get(error.errno or 0)
    if known:
        return known.format(path=path)
    reason = one_line(error.strerror or str(error))
    return reason if error.filename is None else f"{path}: {reason}"


def ours(error: BaseException) -> bool:
    """Whether timeloom itself raised the error, on purpose.

    Such a ValueError is about the user's input. One that numpy or torch raised on the way is a
    defect of ours, and must not be shown as the user's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or not frames[-1].filename.startswith(PACKAGE):
        return False
    line = linecache.getline(frames[-1].filename, frames[-1].lineno or 0)
    return line.lstrip().startswith("raise")


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Names ``path`` in errors of the operating system that name no file themselves.

    Some writers (Arrow, safetensors, torch) report a full disk by an exception of their own, which
    only quotes the system's number.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except Exception as error:
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
            words = (os.strerror(number), f"code: {number},", f"os error {number}")
            if any(word in str(error) for word in words):
                raise OSError(number, os.strerror(number), str(path)) from error
        raise
