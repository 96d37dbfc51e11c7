"""``python -m timeloom.cli``, which is also what ``accelerate launch -m timeloom.cli`` starts."""

import sys

from timeloom.cli import main

if __name__ == "__main__":
    sys.exit(main())
