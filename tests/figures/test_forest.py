"""The forest of differences: what it draws is what it writes, and the odd rows say so in words."""

import math

import numpy as np
import pandas as pd
import pytest

from uncertsam.base.errors import UserError
from uncertsam.figures.forest import DRAWN, forest
from uncertsam.statistics.comparisons import Plan, compare
from uncertsam.statistics.intervals import DatasetFacts

PLAN = Plan(("pearson", "brier"), ("sam",), 100)


def invented_answers(datasets: int = 4, few: bool = False) -> pd.DataFrame:
    rng, parts = np.random.default_rng(0), []
    steps = {"sam": (0, 0), "laplace": (0.01, -0.001), "prompt": (-0.02, 0.0005), "constant": (-0.8, 0)}
    for name in [f"set_{k}" for k in range(datasets)]:
        n = 3 if few and name == "set_0" else 12
        base = rng.uniform(0.2, 0.8, n)
        for method, step in steps.items():
            frame = pd.DataFrame({"dataset": name, "image_id": range(n), "mask_id": range(n), "method": method})
            for metric, move in zip(("pearson", "brier"), step, strict=True):
                parts.append(frame.assign(metric=metric, region="full", value=base + move))
    table = pd.concat(parts, ignore_index=True)
    facts = {name: DatasetFacts(name == "set_1" and datasets == 1, "human") for name in set(table["dataset"])}
    return compare(table, facts, PLAN)


def test_it_writes_what_it_draws(tmp_path) -> None:
    frame = invented_answers()
    paths = forest(frame, "sam", ["pearson", "brier"], tmp_path / "forest", "params 1a")
    assert [path.suffix for path in paths] == [".csv", ".svg", ".png"] and all(path.is_file() for path in paths)
    written = pd.read_csv(paths[0], keep_default_na=False, na_values={"difference": [""]})
    assert list(written.columns) == DRAWN and len(written) == len(frame)
    pd.testing.assert_series_equal(written["difference"], frame["difference"], check_index=False)


def test_the_same_answers_give_the_same_bytes(tmp_path) -> None:
    for name in ("one", "two"):
        forest(invented_answers(), "sam", ["pearson"], tmp_path / name)
    for suffix in (".svg", ".png", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_a_baseline_far_off_and_one_with_the_same_mask_are_said_in_words(tmp_path) -> None:
    text = forest(invented_answers(), "sam", ["pearson", "brier"], tmp_path / "f")[1].read_text()
    assert "same mask and probability" in text and "-0.80" in text


def test_few_images_no_overall_and_gaps_are_drawn(tmp_path) -> None:
    forest(invented_answers(few=True), "sam", ["pearson"], tmp_path / "few")
    frame = invented_answers(1)
    frame.loc[frame["method"] == "prompt", ["difference", "low", "high"]] = math.nan
    forest(frame[frame["scope"] == "dataset"], "sam", ["pearson"], tmp_path / "alone")
    assert "too few to conclude" in (tmp_path / "few.svg").read_text()


def test_nothing_to_draw_is_a_clear_error(tmp_path) -> None:
    with pytest.raises(UserError, match="Nothing was compared with laplace by iou"):
        forest(invented_answers(), "laplace", ["iou"], tmp_path / "f")
