"""The one kind of error a user is meant to read."""


class UserError(Exception):
    """What is wrong (naming the file or the key) and how to mend it, in one or two sentences.

    Commands and stages print it without a traceback and exit with code 1.
    """

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem} {mend}")
        self.problem, self.mend = problem, mend
