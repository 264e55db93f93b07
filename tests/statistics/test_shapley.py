"""Shapley values against what they must be in games whose values are known, and against every order of joining."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from uncertsam.statistics.shapley import coalitions, shapley

PLAYERS = ("token", "gate", "precision", "bayes")


def random_game(seed: int) -> dict[frozenset[str], Fraction]:
    rng = np.random.default_rng(seed)
    return {s: Fraction(int(rng.integers(-1000, 1000)), 997) for s in coalitions(PLAYERS)}


def by_orders(game, player):
    """The gain of a player when it joins, averaged over all orders."""
    orders = list(permutations(PLAYERS))
    before = [frozenset(order[: order.index(player)]) for order in orders]
    return sum((game[s | {player}] - game[s] for s in before), Fraction(0)) / len(orders)


def test_in_an_additive_game_each_player_has_its_own_worth():
    worth = dict(zip(PLAYERS, (Fraction(1, 3), Fraction(-2), Fraction(0), Fraction(7, 5)), strict=True))
    assert shapley({s: sum((worth[p] for p in s), Fraction(4)) for s in coalitions(PLAYERS)}, PLAYERS) == worth


def test_players_who_can_be_exchanged_have_equal_values():
    game = {s: Fraction(len(s & {"token", "bayes"}) ** 3 + len(s & {"gate"})) for s in coalitions(PLAYERS)}
    values = shapley(game, PLAYERS)
    assert values["token"] == values["bayes"] == 4 and values["precision"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_player_who_changes_nothing_has_exactly_zero_even_in_floats(seed):
    rng = np.random.default_rng(seed)
    worth = {s: rng.normal(size=5) for s in coalitions(PLAYERS[1:])}
    game = {s: worth[s - {"token"}] for s in coalitions(PLAYERS)}
    assert (shapley(game, PLAYERS)["token"] == 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_formula_is_the_mean_over_all_orders(seed):
    game = random_game(seed)
    values = shapley(game, PLAYERS)
    assert values == {player: by_orders(game, player) for player in PLAYERS}


@pytest.mark.parametrize("seed", range(5))
def test_the_values_add_up_to_the_whole_difference_exactly(seed):
    game = random_game(seed)
    assert sum(shapley(game, PLAYERS).values()) == game[frozenset(PLAYERS)] - game[frozenset()]


def test_a_coalition_without_worth_is_refused():
    game = random_game(0)
    del game[frozenset({"gate"})]
    with pytest.raises(KeyError):
        shapley(game, PLAYERS)
