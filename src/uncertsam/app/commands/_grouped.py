"""Options that take several numbers and may be given several times, such as `--point 3 4 --point 5 6`.

Not click's `nargs`: typer refuses a list of tuples, and click reads `--box=1,2,3,4` as the first of four values.
"""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from uncertsam.base.errors import UserError

COUNTS = {"--box": 4, "--point": 2}  # numbers per option


class Grouped(TyperCommand):
    """A command whose options in `COUNTS` are lists of strings "a,b,..."."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, joined(args))


def joined(words: Sequence[str]) -> list[str]:
    """`--box 1 2 3 4` and `--box=1,2,3,4` as the latter. Raises UserError where there are not as many numbers."""
    found, rest = [], list(words)
    while rest:
        word, given_with, value = rest.pop(0).partition("=")
        count = COUNTS.get(word)
        if count is None:
            found.append(f"{word}{given_with}{value}")
            continue
        if given_with:
            values = value.split(",")
        else:
            values, rest = rest[:count], rest[count:]
        if len(values) != count or not all(map(_is_number, values)):
            given = value or " ".join(values) or "nothing"
            raise UserError(f"{word} takes {count} numbers, but got {given}.", _example(word))
        found.append(f"{word}={','.join(values)}")
    return found


def numbers(groups: Sequence[str] | None) -> list[list[float]]:
    """What `joined` made, as numbers."""
    return [[float(value) for value in group.split(",")] for group in groups or []]


def _is_number(word: str) -> bool:
    try:
        float(word)
        return True
    except ValueError:
        return False


def _example(word: str) -> str:
    return "Such as --box 20 30 180 200 (left, top, right, bottom)." if word == "--box" else "Such as --point 90 120."
