"""The long table: what is accepted, what is refused, and the means that people read."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from cells import long

from uncertsam.base.errors import UserError
from uncertsam.base.files import write_json
from uncertsam.statistics.summary import metrics_json
from uncertsam.statistics.table import COLUMNS, KEY, RESULTS, at_default, by_every_measure, collect

MASKS = {1: (10, 11), 2: (20,)}  # image -> masks


def cell(method, dataset="a", values=None, metrics=("iou", "mean_u"), regions=("full", "roi")):
    """One (method, dataset); `values`: mask -> value, else 0.5."""
    rows = [
        (dataset, image, mask, method, metric, region, (values or {}).get(mask, 0.5))
        for image, masks in MASKS.items()
        for mask in masks
        for metric in metrics
        for region in regions
    ]
    return long(pd.DataFrame(rows, columns=COLUMNS))


def stored(tmp_path, **cells):
    paths = {}
    for name, table in cells.items():
        path = tmp_path / f"{name}.parquet"
        table.to_parquet(path)
        paths[name, "a"] = path
    return paths


def test_collect_is_the_sorted_union_of_the_cells(tmp_path):
    shuffled = cell("x").sample(frac=1, random_state=0)
    table = collect(stored(tmp_path, x=shuffled, b=cell("b")))
    expected = pd.concat([cell("b"), cell("x")]).sort_values(KEY, ignore_index=True)
    pd.testing.assert_frame_equal(table, expected)


def test_a_written_table_reads_back_the_same(tmp_path):
    table = cell("x", values={10: math.nan, 11: 1 / 3})
    RESULTS.write(tmp_path / "x.parquet", table)
    pd.testing.assert_frame_equal(collect({("x", "a"): tmp_path / "x.parquet"}), table)
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]


def test_a_refused_table_leaves_the_old_file(tmp_path):
    target = tmp_path / "x.parquet"
    RESULTS.write(target, cell("x"))
    with pytest.raises(UserError, match="value"):
        RESULTS.write(target, cell("x").astype({"value": "float32"}))
    pd.testing.assert_frame_equal(collect({("x", "a"): target}), cell("x"))


BROKEN = {
    "columns": (lambda t: t.drop(columns="region"), "columns"),
    "an extra column": (lambda t: t.assign(extra=1), "extra"),
    "text as value": (lambda t: t.astype({"value": str}), "value"),
    "float ids": (lambda t: t.astype({"mask_id": float}), "mask_id"),
    "no metric name": (lambda t: t.assign(metric=[None, *t["metric"][1:]]), "metric"),
    "another method": (lambda t: t.assign(method="z"), "method"),
    "another dataset": (lambda t: t.assign(dataset="z"), "dataset"),
    "a value twice": (lambda t: pd.concat([t, t.iloc[:1]]), "twice.*mask_id 10"),
    "a mask missing": (lambda t: t[t["mask_id"] != 20], "not every method.*mask_id 20"),
    "a metric missing": (lambda t: t[t["metric"] != "iou"], "not every method.*metric iou"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_cell_is_refused_by_name(tmp_path, name):
    spoil, message = BROKEN[name]
    with pytest.raises(UserError, match=message):
        collect(stored(tmp_path, x=cell("x"), y=spoil(cell("y"))))


def test_missing_files_and_no_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"lost\.parquet"):
        collect({("x", "a"): tmp_path / "lost.parquet"})
    with pytest.raises(UserError, match="no measures"):
        collect({})


def test_datasets_may_have_different_methods(tmp_path):
    cell("x", "b").to_parquet(tmp_path / "xb.parquet")
    table = collect(stored(tmp_path, x=cell("x"), y=cell("y")) | {("x", "b"): tmp_path / "xb.parquet"})
    assert len(table) == 3 * len(cell("x"))


def test_means_are_over_masks_without_nan_and_roi_has_its_own_key():
    table = cell("x", values={10: 0.2, 11: math.nan, 20: 0.6})
    table.loc[table["region"] == "roi", "value"] /= 2
    found = metrics_json(at_default(table))["a"]["x"]
    assert found["iou"] == pytest.approx(0.4) and found["iou_roi"] == pytest.approx(0.2)
    assert {"image_auroc", "image_aurc", "image_augrc"} < found.keys()


def test_metrics_without_any_value_are_null_in_valid_json(tmp_path):
    table = cell("x", values=dict.fromkeys((10, 11, 20), math.nan))
    write_json(tmp_path / "metrics.json", metrics_json(at_default(table)))
    read = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert read["a"]["x"]["iou"] is None and read["a"]["x"]["image_auroc"] is None


def test_image_level_scores_in_the_json_rank_masks():
    table = cell("x", values={10: 0.1, 11: 0.2, 20: 0.9})
    table.loc[table["metric"] == "mean_u", "value"] *= -1
    assert metrics_json(at_default(table))["a"]["x"]["image_auroc"] == 1
    assert np.isfinite(list(metrics_json(at_default(table))["a"]["x"].values())).all()


def test_a_methods_own_measure_and_the_first_model_are_what_readers_see():
    """Another measure has ranking metrics alone, scores rank whole masks, and a second model waits for its own part."""
    own = cell("x", metrics=("iou", "pearson"))
    other = cell("x", metrics=("pearson",), regions=("full",)).assign(measure="mutual_information", value=0.1)
    score = cell("x", metrics=("score_mean",), regions=("full",)).assign(level="mask")
    table = pd.concat([own, other, score, own.assign(model="another", value=0.9)])
    pd.testing.assert_frame_equal(at_default(table), own[COLUMNS])
    every = by_every_measure(table)
    assert set(every["method"]) == {"x", "x@mutual_information"} and len(every) == len(own) + len(other)
    assert (every.loc[every["method"] == "x@mutual_information", "value"] == 0.1).all()
