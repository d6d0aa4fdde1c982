"""How a command ends: every exit status, and what it tells a script."""

from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """The statuses that a command ends with; there are no others."""

    DONE = 0
    NO = 1
    INPUT = 2
    FAULT = 3
    INTERRUPTED = 130
    UNREAD = 141


MEANINGS: Final = {
    Exit.DONE: "done",
    Exit.NO: "done, and the answer is no: a claim does not hold and --strict was given (thesis), "
    "or our own check of what was written fails (export)",
    Exit.INPUT: "something in the input: a file, an option, a limit of the company; all that is "
    "wrong is told at once, with what to change",
    Exit.FAULT: "a fault of ours, told with its traceback",
    Exit.INTERRUPTED: "stopped by Ctrl-C; serve and observe end in order then, with 0",
    Exit.UNREAD: "nobody reads the output any more, as in `tokenergy schema | head`",
}
"""What each status means; `tokenergy --help` and docs/reference.md print it."""
SHORT: Final = "0 done, 1 the answer is no, 2 the input, 3 our fault, 130 Ctrl-C"
"""The same in one line, for the help of the command."""
