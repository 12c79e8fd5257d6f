"""The one exception that people see: a line that says what is wrong, where, and what to do."""

from __future__ import annotations


class AmiError(Exception):
    """A failure that the user can mend.

    Command lines print `str(error)` as one line and exit with `exit_code`; nodes put `code` and the
    message into their result. Never raised for a bug of ours: those keep their traceback.

    Args:
        message: one line: what is wrong, where, what to do about it. Names from outside may stand in it: what is no
            printable character is escaped, so that nobody can write lines of his own into a log.
        code: a code of the interfaces (10000 and up) where a program reads it, else 0.
    """

    exit_code = 2

    def __init__(self, message: str, code: int = 0) -> None:
        printable = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        super().__init__("".join(printable))
        self.code = code
