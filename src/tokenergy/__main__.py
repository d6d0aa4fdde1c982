"""`python -m tokenergy` is the command line; Ctrl-C ends it quietly, also while it starts."""

import os
import signal
import sys
from types import FrameType

from tokenergy.cli.exits import Exit


def main() -> None:
    """Start the command line."""
    try:
        signal.signal(signal.SIGINT, _interrupted)
        from tokenergy.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Leave at once in the middle of an import; elsewhere let everybody clean up.

    An interrupt within an import may be dropped by a callback of the import system, or turned
    into an ImportError by the module that it hits.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(Exit.INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
