"""Wall seconds and peak memory of a whole command, run as a process of its own."""

import subprocess
import sys
import time
from collections.abc import Sequence

__all__ = ["measured"]

# A child is born with the peak of the process that starts it, so a small one stands in between.
WATCH = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.stderr.buffer.write(status.stderr[-2000:])
sys.exit(status.returncode)
"""


def measured(arguments: Sequence[str]) -> tuple[float, float]:
    """Runs Python with ``arguments``, and returns its wall seconds and its peak memory in MB.

    Raises:
        RuntimeError: If the command fails; with the end of what it said.
    """
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", WATCH, sys.executable, *arguments], capture_output=True, text=True
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(
            f"the measured command failed with status {done.returncode}: {done.stderr[-1000:]}"
        )
    return seconds, int(done.stdout) / (1024 if sys.platform == "linux" else 1024**2)
