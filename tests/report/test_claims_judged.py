"""Each claim's rule: it reproduces on the paper's own numbers, does not on their opposite, and owns up to the rest."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from uncertsam.catalogue import DATASETS
from uncertsam.report._claims import NO, UNTOLD, YES, JudgedClaim, answered, claims, confounds, judge, settled
from uncertsam.report._evidence import Estimate, Evidence, difference
from uncertsam.report._published import Known, read_published
from uncertsam.report._table_one import table_one
from uncertsam.statistics.intervals import DatasetFacts

SETS = tuple(DATASETS)
PEARSON = {"laplace": 0.75, "tta_train": 0.65, "tta_hue": 0.64, "prompt": 0.66, "sam": 0.7}
PEARSON |= {"variance": 0.6, "variance@log_variance": 0.55}
IMAGES = 40


def measures(means: dict[tuple[str, str, str], float]) -> pd.DataFrame:
    """{(dataset, method, metric): mean}, with the same small noise for all methods of a dataset."""
    noise = np.random.default_rng(0).normal(0, 0.01, IMAGES)
    noise -= noise.mean()
    parts = [
        pd.DataFrame({"dataset": d, "image_id": range(IMAGES), "mask_id": range(IMAGES), "method": m, "metric": k,
                      "region": "full", "value": mean + noise})
        for (d, m, k), mean in means.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def printed() -> dict[tuple[str, str, str], float]:
    """Table 1 as shares: {(dataset, method, our metric): mean}."""
    table = read_published()
    table = table[table["source"].str.startswith("Table 1")]
    names = {"iou": "iou", "boundary_iou": "boundary_iou_0.02"}
    return {(row.dataset, row.method, names[row.metric]): float(row.value) / 100 for row in table.itertuples()}


def evidence(
    pearson: dict[str, float] | None = None, brier: float = 0.0, overlap: dict[str, float] | None = None
) -> Evidence:
    """A run on the paper's sets that found what the paper did, but for what is given.

    brier: what is added to laplace's. overlap: what is added to a method's IoU on every set.
    """
    correlations, moved = PEARSON | (pearson or {}), overlap or {}
    table = {key: mean + moved.get(key[1], 0.0) for key, mean in printed().items()}
    scores = {(d, m, "pearson"): value for d in SETS for m, value in correlations.items()}
    scores |= {(d, m, "brier"): 0.05 + brier * (m == "laplace") for d in SETS for m in correlations}
    return Evidence(
        tables={"results": measures(scores | table)},
        facts=dict.fromkeys(SETS, DatasetFacts(False, "human")),
        known={name: Known(name, "benchmark", False) for name in SETS},
        model="sam2_large",
        resamples=300,
        sizes=dict.fromkeys(SETS, (3000, 6000)),
    )


@pytest.fixture(scope="module")
def paper() -> Evidence:
    return evidence()


def verdict(key: str, found: Evidence) -> JudgedClaim:
    return judge(claims()[key], found)


@pytest.mark.parametrize("claim", claims().values(), ids=lambda claim: claim.key)
def test_the_papers_own_numbers_reproduce_every_claim(claim, paper) -> None:
    found = judge(claim, paper)
    assert (found.verdict, found.reason) == (YES, ""), found.numbers
    assert found.numbers and set(found.sets) <= set(SETS)


OPPOSITE: dict[str, dict] = {
    "laplace_aligns_best": {"pearson": {"prompt": 0.8}},
    "correlation_is_high": {"pearson": {"variance@log_variance": 0.3}},
    "variance_network_is_lowest": {"pearson": {"variance@log_variance": 0.7}},
    "brier_is_comparable": {"brier": 0.05},
    "fine_sets_are_strong": {},  # see below: one set moves alone
    "ensemble_improves": {"overlap": {"fusion_la_ones": -0.1}},
    "refinement_beats_sam": {"overlap": {"fusion_la": -0.1}},
    "uncertainty_adds_nothing": {"overlap": {"fusion_la": 0.1}},
    "gain_is_the_ensemble": {"overlap": {"fusion_la": 0.1}},
    "gap_to_the_truth": {"overlap": {"truth_prompt": -0.3}},
    "small_gains_in_part": {"overlap": {"fusion_la": -0.2}},
    "benchmark_size": {},
}


@pytest.mark.parametrize("claim", claims().values(), ids=lambda claim: claim.key)
def test_the_opposite_does_not_reproduce(claim) -> None:
    found = evidence(**OPPOSITE[claim.key])
    if claim.key == "benchmark_size":
        found = replace(found, sizes=dict.fromkeys(SETS, (1000, 9000)))
    if claim.key == "fine_sets_are_strong":
        table = found.tables["results"]
        low = table.assign(value=table["value"].mask((table["dataset"] == "BIG") & (table["metric"] == "iou"), 0.3))
        found = replace(found, tables={**found.tables, "results": low})
    assert judge(claim, found).verdict == NO


def test_a_difference_within_its_doubt_cannot_be_told(paper) -> None:
    """Laplace ahead of the runner-up on average, by less than the images disagree about."""
    table = paper.tables["results"]
    own = np.random.default_rng(2).normal(0, 3, len(table))
    wild = table.assign(value=table["value"] + np.where(table["method"] == "laplace", own, 0.0))
    found = verdict("laplace_aligns_best", replace(paper, tables={"results": wild}))
    assert found.verdict == UNTOLD and "n too small" in found.reason


def test_synthetic_worlds_tell_nothing_but_are_shown(paper) -> None:
    worlds = {name: DatasetFacts(True, "synthetic") for name in SETS}
    made = replace(paper, facts=worlds, known={n: Known(n, "istd", True) for n in SETS}, model="sam2_nano")
    found = verdict("laplace_aligns_best", made)
    assert found.verdict == UNTOLD and found.numbers
    assert "synthetic data" in found.reason and "another model: sam2_nano instead of sam2_large" in found.reason
    assert all(judge(claim, made).verdict == UNTOLD for claim in claims().values())


def test_other_photos_and_another_model_judge_what_names_no_dataset_and_say_so(paper) -> None:
    names = {name: f"my_{k}" for k, name in enumerate(SETS)}
    mine = replace(
        paper,
        tables={k: t.assign(dataset=t["dataset"].map(names)) for k, t in paper.tables.items()},
        facts={names[n]: f for n, f in paper.facts.items()},
        known={names[n]: Known(names[n], "folder", False) for n in SETS},
        model="sam2_nano",
    )
    found = verdict("laplace_aligns_best", mine)
    assert found.verdict == YES
    assert found.reason == "on 8 datasets that are not the paper's, with sam2_nano instead of sam2_large"
    named = verdict("ensemble_improves", mine)
    assert named.verdict == UNTOLD and "not in this run: ISTD, SBU-shadow, Flare7K, Trans10K" in named.reason


def test_the_papers_sets_with_another_model_cannot_tell_what_it_says_of_them(paper) -> None:
    other = replace(paper, model="sam2_nano")
    assert verdict("ensemble_improves", other).reason == "another model: sam2_nano instead of sam2_large"
    assert verdict("benchmark_size", other).verdict == YES  # no model is in that


def test_too_few_datasets_cannot_tell(paper) -> None:
    two = {k: t[t["dataset"].isin(["BIG", "ISTD"])] for k, t in paper.tables.items()}
    assert "n too small: 2 datasets" in verdict("correlation_is_high", replace(paper, tables=two)).reason


def test_what_was_not_run_is_named(paper) -> None:
    bare = replace(paper, tables={"results": paper.tables["results"].query("method not in ('prompt', 'fusion_la')")})
    assert verdict("laplace_aligns_best", bare).reason == "not run: prompt"
    assert verdict("uncertainty_adds_nothing", bare).reason == "not run: fusion_la"
    assert set(claims()["laplace_aligns_best"].methods) - {"prompt"} <= bare.methods("results")


def test_an_estimate_is_the_mean_over_datasets_of_the_paired_difference(paper) -> None:
    found = paper.estimate("iou", difference(claims()["ensemble_improves"].sets, "fusion_la_ones", "fusion_sam_ones"))
    by_hand = np.mean([67.89 - 66.53, 67.37 - 66.27, 46.61 - 43.12, 86.54 - 85.05]) / 100
    assert found is not None and found.value == pytest.approx(by_hand) == pytest.approx(found.low)
    assert paper.estimate("iou", {("BIG", "nobody"): 1.0}) is None


@pytest.mark.parametrize(
    ("numbers", "bound", "some", "expected"),
    [
        ([(1, 2), (3, 4)], 0.0, False, YES),
        ([(1, 2), (-1, 4)], 0.0, False, UNTOLD),
        ([(1, 2), (-2, -1)], 0.0, False, NO),
        ([(1, 2), (-2, -1)], 0.0, True, YES),
        ([(-1, 2), (-2, -1)], 0.0, True, UNTOLD),
        ([(-3, -2), (-2, -1)], 0.0, True, NO),
        ([(1, 2)], 1.5, False, UNTOLD),
        ([(float("nan"), float("nan"))], 0.0, False, UNTOLD),
        ([], 0.0, False, UNTOLD),
    ],
)
def test_intervals_on_one_side_settle_a_claim_and_nothing_else_does(numbers, bound, some, expected) -> None:
    estimates = [Estimate((low + high) / 2, float(low), float(high)) for low, high in numbers]
    assert settled(estimates, bound, some) == expected


def test_table_1_agrees_with_itself_and_not_with_another(paper) -> None:
    rows = table_one(paper)
    assert len(rows) == 10 and {row.verdict for row in rows} == {YES}
    assert all(cell.agrees for row in rows for cell in row.cells)
    moved = table_one(evidence(overlap={"fusion_la": 0.1}))
    assert {row.method for row in moved if row.verdict == NO} == {"fusion_la"}
    other = table_one(replace(paper, model="sam2_nano"))
    assert {row.verdict for row in other} == {UNTOLD} and other[0].cells[0].ours is not None


def test_a_confound_is_answered_where_its_table_and_methods_are() -> None:
    token, logvar = confounds()[0], next(c for c in confounds() if "variance" in c.methods)
    assert answered(token, {"results": {"sam"}}) == "not in this run"
    assert answered(token, {"results": {"sam"}, "controls": {"map"}}) == "in this run"
    assert answered(logvar, {"results": set(logvar.methods)}) == "in this run"
    assert answered(logvar, {"results": {"variance"}}) == "not in this run"
