"""Shapley values: what each of a few players adds to a game, averaged over all orders in which they can join."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Any

Coalition = frozenset[str]


def shapley(game: Mapping[Coalition, Any], players: Sequence[str]) -> dict[str, Any]:
    """Each player's value: sum over coalitions S without it of |S|! (n - |S| - 1)! / n! * (v(S + player) - v(S)).

    game: the worth v of every coalition, the empty one too: numbers, or arrays of them. The values add up to
    v(all) - v(none), and a player that changes nothing has exactly 0. Raises KeyError where a coalition has no worth.
    """
    return {player: _value(game, player, [p for p in players if p != player]) for player in players}


def coalitions(players: Sequence[str]) -> Iterator[Coalition]:
    """Every set of players, the empty one first."""
    return (frozenset(chosen) for size in range(len(players) + 1) for chosen in combinations(players, size))


def _value(game: Mapping[Coalition, Any], player: str, others: Sequence[str]) -> Any:
    """Whole numbers first and one division last: exact in any arithmetic that divides exactly."""
    count = len(others)
    gains = (factorial(len(s)) * factorial(count - len(s)) * (game[s | {player}] - game[s]) for s in coalitions(others))
    return sum(gains) / factorial(count + 1)
