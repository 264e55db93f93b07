"""The one kind of error a user is meant to read."""

import difflib
from collections.abc import Collection
from typing import Any, TypeVar

import pydantic

M = TypeVar("M", bound=pydantic.BaseModel)


class UserError(Exception):
    """What is wrong (naming the file or the key) and the remedy, each one line that is `printable`.

    Commands and stages print it without a traceback and exit with code 1.
    """

    def __init__(self, problem: str, mend: str) -> None:
        self.problem, self.mend = (printable(" ".join(str(text).split())) for text in (problem, mend))
        super().__init__(f"{self.problem} {self.mend}")

    def __reduce__(self) -> tuple[type["UserError"], tuple[str, str]]:
        """Out of a worker it comes as it is: by default an exception is made again from its text alone."""
        return type(self), (self.problem, self.mend)


def printable(text: object) -> str:
    r"""Text that every UTF-8 stream and font takes, for a file's name may be any bytes: "K\xe4tzchen.png", "a\nb".

    Names that an ASCII-only locale could not read become what they are; other bytes and control signs are escaped.
    """
    known = str(text).encode("utf-8", "backslashreplace" if _is_odd(str(text)) else "surrogateescape")
    shown = known.decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in shown)


def _is_odd(text: str) -> bool:
    """Whether it has surrogates that stand for no byte."""
    return any("\ud800" <= sign <= "\udfff" and not "\udc80" <= sign <= "\udcff" for sign in text)


def suggestion(key: str, known: Collection[str]) -> str:
    """The remedy for an unknown name: the known one that it looks like, else all that are known."""
    close = difflib.get_close_matches(key, known, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(sorted(known))}."


def first_fault(error: Exception, *before: str | int) -> str:
    """What is wrong, in a line; of a pydantic.ValidationError its first fault and where, below the keys `before`."""
    if not isinstance(error, pydantic.ValidationError):
        return repr(error)
    first = error.errors()[0]
    at = ".".join(map(str, [*before, *first["loc"]]))
    return f"{at or 'it'}: {first['msg']}"


def checked_options(model: type[M], options: dict[str, Any], named: str, what: str) -> M:
    """The options as a model. Raises UserError; `named` shows a key at {}, `what` is what has these options."""
    try:
        return model.model_validate(options)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = named.format(".".join(map(str, first["loc"])))
        known = ", ".join(model.model_fields)
        raise UserError(f"{key}: {first['msg']} (given: {first['input']!r}).", f"{what} knows {known}.") from None
