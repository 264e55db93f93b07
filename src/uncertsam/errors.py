"""The one kind of error a user is meant to read."""

import difflib
from collections.abc import Collection


class UserError(Exception):
    """What is wrong (naming the file or the key) and how to mend it, in one or two sentences.

    Commands and stages print it without a traceback and exit with code 1.
    """

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem} {mend}")
        self.problem, self.mend = problem, mend

    def __reduce__(self) -> tuple[type["UserError"], tuple[str, str]]:
        """Out of a worker it comes as it is: by default an exception is made again from its text alone."""
        return type(self), (self.problem, self.mend)


def suggestion(key: str, known: Collection[str]) -> str:
    """The mend of an unknown name: the known one that it looks like, else all that are known."""
    close = difflib.get_close_matches(key, known, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(sorted(known))}."
