"""Writing a file whole or not at all: what lies under the final name is never half written."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["atomic"]


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside ``path``; what is written there becomes ``path`` at the end.

    The temporary file exists at once, empty, so that an unwritable folder is noticed before hours
    of work and not after; it keeps the suffix of ``path``. It is flushed to disk and takes the
    final name in one move when the block ends. On any error, Ctrl-C included, it is removed and
    whatever lay under ``path`` stays as it was.

    Args:
        path: The final name, in a folder that exists.

    Yields:
        Where to write.

    Raises:
        FileNotFoundError: If the folder of ``path`` does not exist.
        IsADirectoryError: If ``path`` is a folder.
        OSError: If the folder is not writable or the disk is full.
    """
    # A link stays a link: its target is replaced.
    final = Path(os.path.realpath(path))
    if not final.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist", str(final.parent))
    if final.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected a file, got a folder", str(final))
    temporary = final.with_name(f".{final.stem}-{secrets.token_hex(4)}{final.suffix}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        # The user knows the final name, not the temporary one.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        _flush(final.parent)


def _flush(path: Path) -> None:
    # Windows refuses to flush what is not opened for writing.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
