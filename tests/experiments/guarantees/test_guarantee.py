"""The whole table: kept at home, broken after a shift, the same in any order; and what is refused."""

import numpy as np
import pandas as pd
import pytest
from cells import long
from promised import write_cells

from uncertsam.base.errors import UserError
from uncertsam.base.files import write_json
from uncertsam.config.guarantees import Guarantees
from uncertsam.experiments.contract import schemas
from uncertsam.experiments.guarantees._histograms import PLAIN, pool_of
from uncertsam.experiments.guarantees.experiment import EXPERIMENT, broken_promises, verdict
from uncertsam.experiments.guarantees.figure import guarantees as draw
from uncertsam.experiments.guarantees.run import promised
from uncertsam.experiments.guarantees.table import COLUMNS, GUARANTEES, KEYS, rows
from uncertsam.metrics.measure import measure_cell
from uncertsam.statistics.schema import Tables
from uncertsam.statistics.table import at_default

METHODS = ["sam", "laplace"]
KNOBS = Guarantees(methods=METHODS, alphas=[0.1, 0.2], splits=40, levels=[0.5])


def world(root, reverse=False):
    """Two datasets, of which the second is predicted too low everywhere."""
    return {
        "reef": write_cells(root / "reef", 24, METHODS, reverse),
        "deep": write_cells(root / "deep", 24, METHODS, reverse, weak=6.0),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("promised")
    return root, world(root)


@pytest.fixture(scope="module")
def frame(made):
    return promised(made[0], made[1], METHODS, KNOBS, 0)


def told(frame, part, metric="fnr", method="sam", **where):
    rows = frame[(frame["part"] == part) & (frame["metric"] == metric) & (frame["method"] == method)]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return float(rows["value"].iloc[0])


def test_what_is_promised_is_kept_at_home(frame):
    assert broken_promises(frame) == []
    for dataset in ("reef", "deep"):
        for alpha in KNOBS.alphas:
            assert 0 < told(frame, "risk", dataset=dataset, setting=alpha) <= alpha


def test_the_same_promise_breaks_where_the_logits_are_lower(frame):
    assert told(frame, "shift", dataset="deep", calibrated_on="reef", setting=0.1) > 0.2
    assert told(frame, "shift", dataset="reef", calibrated_on="deep", setting=0.1) < 0.1
    shift = verdict(frame)["shift"]["sam"]["0.1"]
    assert shift["pairs"] == 2 and shift["broken"] == 1 and shift["worst"] > 0.2


def test_a_stricter_promise_costs_area_and_the_whole_image_costs_most(frame):
    strict, loose, whole = (
        told(frame, part, "of_object", dataset="deep", **where)
        for part, where in (("risk", {"setting": 0.1}), ("risk", {"setting": 0.2}), ("whole", {}))
    )
    assert loose < strict < whole
    assert told(frame, "whole", dataset="deep") == 0 and told(frame, "whole", "of_image", dataset="deep") == 1


def test_no_threshold_is_admitted_for_too_few_images(made):
    found = promised(made[0], made[1], ["sam"], KNOBS.model_copy(update={"calibrate": 0.25}), 0)
    assert told(found, "risk", "everything", dataset="reef", setting=0.1) == 1
    assert told(found, "risk", "everything", dataset="reef", setting=0.2) < 1


def test_the_order_of_images_masks_and_rows_is_of_no_account(frame, tmp_path):
    again = promised(tmp_path, world(tmp_path, reverse=True), METHODS[::-1], KNOBS, 0)
    pd.testing.assert_frame_equal(frame, again)


def test_the_table_has_each_number_once_and_survives_the_disk(frame, tmp_path):
    assert list(frame.columns) == COLUMNS and not frame.duplicated(KEYS).any()
    GUARANTEES.write(tmp_path / "guarantees.csv", frame)
    pd.testing.assert_frame_equal(GUARANTEES.read(tmp_path / "guarantees.csv"), frame, check_dtype=False, rtol=1e-6)


def test_the_plain_mask_has_the_iou_of_the_metrics(made, tmp_path):
    from uncertsam.data.format import write_split

    split = made[1]["reef"]
    pool = pool_of(made[0] / "reef" / "sam", split)
    (tmp_path / "test" / "images").mkdir(parents=True)
    for record in split:
        (tmp_path / "test" / "images" / record.file_name).touch()
    write_split(tmp_path / "test", split.info, split, [a for each in split.annotations.values() for a in each])
    table = at_default(measure_cell(made[0] / "reef" / "sam", tmp_path / "test", "sam", "reef").table)
    wide = table[table["region"] == "full"].pivot(index="mask_id", columns="metric", values="value")
    np.testing.assert_allclose(pool.iou, wide["iou"])
    np.testing.assert_allclose(pool.unsure, wide["mean_u"], rtol=1e-6)
    assert (pool.areas()[:, PLAIN] > 0).all()


def test_the_picture_shows_what_its_table_says(frame, tmp_path):
    files = draw(frame, tmp_path / "guarantees", "foot")
    assert {path.suffix for path in files} == {".svg", ".png", ".csv"}
    svg = (tmp_path / "guarantees.svg").read_text()
    value = told(frame, "shift", dataset="deep", calibrated_on="reef", setting=0.1)
    assert f"{value:.2f}".removeprefix("0") in svg
    first = [path.read_bytes() for path in files]
    assert first == [p.read_bytes() for p in draw(frame.sample(frac=1), tmp_path / "again", "foot")]
    with pytest.raises(UserError, match="Nothing was promised"):
        draw(frame[frame["part"] == "kept"], tmp_path / "none")


@pytest.fixture
def reports(frame, tmp_path):
    """The two reports, and a table of results that agrees with them."""
    GUARANTEES.write(tmp_path / "guarantees.csv", frame)
    write_json(tmp_path / "guarantees.json", verdict(GUARANTEES.read(tmp_path / "guarantees.csv")))
    rows = frame[(frame["part"] == "abstention") & (frame["metric"] == "iou")]
    return tmp_path, long(rows[["dataset", "method", "metric", "value"]])


def found(reports):
    return "\n".join(EXPERIMENT.contradictions(Tables(reports[0], schemas(), {"results.parquet": reports[1]})))


def forge(reports, part, metric, value, column="value"):
    path = reports[0] / "guarantees.csv"
    table = GUARANTEES.read(path)
    table.loc[table.index[(table["part"] == part) & (table["metric"] == metric)][0], column] = value
    GUARANTEES.write(path, table)


def test_sound_reports_pass(reports):
    assert found(reports) == ""


@pytest.mark.parametrize(
    ("part", "metric", "value", "says"),
    [
        ("risk", "fnr", 0.9, "misses 0.9000; promised 0.1"),
        ("risk", "bound", 0.5, "is not that of 12 images"),
        ("abstention", "iou", 0.123, "not that of results.parquet"),
        ("shift", "fnr", 0.15, "guarantees.json does not say"),
    ],
)
def test_a_forged_number_is_found(reports, part, metric, value, says):
    forge(reports, part, metric, value)
    assert says in found(reports)


def test_what_cannot_be_promised_is_refused(made, tmp_path):
    with pytest.raises(UserError, match=r"prompt/index\.parquet is missing.*predict stage"):
        promised(*made, ["prompt"], KNOBS, 0)
    alone = {"lone": write_cells(tmp_path / "lone", 1, METHODS)}
    with pytest.raises(UserError, match=r"lone has 1 image.*guarantees\.datasets"):
        promised(tmp_path, alone, METHODS, KNOBS, 0)


def test_of_no_dataset_nothing_is_promised_and_the_reports_agree(tmp_path):
    GUARANTEES.write(tmp_path / "guarantees.csv", promised(tmp_path, {}, METHODS, KNOBS, 0))
    frame = GUARANTEES.read(tmp_path / "guarantees.csv")
    write_json(tmp_path / "guarantees.json", verdict(frame))
    tables = Tables(tmp_path, schemas(), {"results.parquet": pd.DataFrame()})
    assert frame.empty and not EXPERIMENT.contradictions(tables)


def test_a_dataset_is_not_taken_for_all_of_them(calibrated):
    with pytest.raises(UserError, match="a dataset cannot be named 'all'"):
        rows({("all", "sam"): calibrated()}, {}, KNOBS, 0)
