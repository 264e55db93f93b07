"""Shapley values: what each of a few players adds to a game, averaged over all orders in which they can join."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Float

Coalition = frozenset[str]


def shapley(game: Mapping[Coalition, Fraction], players: Sequence[str]) -> dict[str, Fraction]:
    """Each player's value: sum over coalitions S without it of |S|! (n - |S| - 1)! / n! * (v(S + player) - v(S)).

    game: the worth of every coalition, the empty one too. The values add up to v(all) - v(none) exactly. Raises
    KeyError where a coalition has no worth.
    """
    weights = {player: weights_of(player, players) for player in players}
    return {p: sum((w * game[s] for s, w in each.items()), Fraction(0)) for p, each in weights.items()}


def weights_of(player: str, players: Sequence[str]) -> dict[Coalition, Fraction]:
    """The weight of every coalition's worth in the value of one player."""
    others, found = [p for p in players if p != player], dict[Coalition, Fraction]()
    for coalition in coalitions(others):
        weight = Fraction(1, len(players) * comb(len(others), len(coalition)))
        found[coalition | {player}], found[coalition] = weight, -weight
    return found


def coalitions(players: Sequence[str]) -> Iterator[Coalition]:
    """Every set of players, the empty one first."""
    return (frozenset(chosen) for size in range(len(players) + 1) for chosen in combinations(players, size))


def weight_matrix(order: Sequence[Coalition], players: Sequence[str]) -> Float[np.ndarray, "coalitions players"]:
    """Worths of coalitions in this order, times this matrix, are the values of the players."""
    each = [weights_of(player, players) for player in players]
    return np.array([[float(weights[coalition]) for weights in each] for coalition in order])
