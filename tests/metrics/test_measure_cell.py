"""One cell of predictions, from files to the long table."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from cells import write_maps
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, ImageRecord, encode_rle, write_split
from uncertsam.metrics.masks import METRICS, RANKING, measure_mask
from uncertsam.metrics.measure import measure_cell
from uncertsam.metrics.region import REGIONS, TruthSide
from uncertsam.models.layout import Layout
from uncertsam.statistics.table import RESULTS, SCORES, at_default

MASKS = {10: 1, 11: 1, 20: 2}  # mask -> image; image 3 has none
SIZES = {1: (30, 44), 2: (50, 20), 3: (8, 8)}
LOW = 16
LAYOUT = Layout(64, LOW)


def truth_of(mask_id):
    height, width = SIZES[MASKS[mask_id]]
    truth = np.zeros((height, width), bool)
    truth[mask_id % 7 : 20, 3:15] = True
    return truth


def void_of(image_id):
    void = np.zeros(SIZES[image_id], bool)
    void[:2] = image_id == 2
    return void


@pytest.fixture
def split(tmp_path):
    root = tmp_path / "benchmark" / "test"
    (root / "images").mkdir(parents=True)
    for i, (h, w) in SIZES.items():
        Image.new("RGB", (w, h)).save(root / "images" / f"{i:08d}.jpg")
    images = [ImageRecord(i, w, h, ignore=encode_rle(void_of(i))) for i, (h, w) in SIZES.items()]
    masks = [Annotation(m, i, int(truth_of(m).sum()), encode_rle(truth_of(m))) for m, i in MASKS.items()]
    write_split(root, {"dataset": "toy"}, images, masks)
    return root


def maps(shape=(3, LOW, LOW)):
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 3, shape).astype(np.float32) for name in ("logits", "doubt")}


def write_cell(root, mask_ids=(20, 10, 11), rows=(0, 1, 2), arrays=None):
    """Predictions in another order than the benchmark's."""
    index = pd.DataFrame({"row": rows, "image_id": [MASKS.get(m, 1) for m in mask_ids], "mask_id": mask_ids})
    return write_maps(root, index, maps() if arrays is None else arrays)


def measure(predictions, split, **options):
    return measure_cell(predictions, split, "sam", "toy", model="nano", **options).table


def test_every_mask_is_measured_with_its_own_maps_truth_and_void(split, tmp_path):
    table = measure(write_cell(tmp_path / "cell"), split)
    assert list(table.columns) == list(RESULTS.columns) and set(table["model"]) == {"nano"}
    own = at_default(table)
    assert len(own) == len(MASKS) * len(METRICS) * len(REGIONS)
    values = own.set_index(["mask_id", "metric", "region"])["value"]
    for row, mask_id in enumerate((20, 10, 11)):
        truth, void = truth_of(mask_id), void_of(MASKS[mask_id])
        high = [LAYOUT.to_picture(m[row], truth.shape) for m in (maps()["logits"], maps()["doubt"])]
        for (metric, region), value in measure_mask(TruthSide.of(truth, void), *high).items():
            assert values[mask_id, metric, region] == pytest.approx(value, abs=0, nan_ok=True)


def test_every_measure_that_the_maps_support_is_ranked_as_if_it_were_the_methods_own(split, tmp_path):
    given = {**maps(), "expected_entropy": np.abs(maps()["doubt"])}
    table = measure(write_cell(tmp_path / "cell", arrays=given), split)
    ranked = table[(table["level"] == "pixel") & (table["measure"] != "doubt")]
    names = {"predictive_entropy", "max_p", "expected_entropy", "mutual_information"}
    assert set(ranked["measure"]) == names and set(ranked["metric"]) == set(RANKING)
    assert set(ranked["region"]) == {"full"}
    for name in names:
        own = {"name": name, "label": "", "unit": ""}
        alone = write_maps(tmp_path / name, pd.read_parquet(tmp_path / "cell" / "index.parquet"), given, own)
        again = at_default(measure(alone, split)).set_index(["mask_id", "metric", "region"])["value"]
        mine = ranked[ranked["measure"] == name].set_index(["mask_id", "metric", "region"])["value"]
        np.testing.assert_allclose(mine, again[mine.index], rtol=1e-6)


def test_scores_of_masks_are_told_for_every_measure_and_the_models_own_once(split, tmp_path):
    table = measure(write_cell(tmp_path / "cell"), split)
    scores = table[(table["level"] == "mask") & table["metric"].isin(SCORES)]
    counts = scores.groupby("metric")["measure"].nunique()
    assert set(scores["metric"]) == set(SCORES) and not scores["value"].isna().any()
    once = ["predicted_iou", "score_iou_head", "score_stability"]
    assert (counts[once] == 1).all() and (counts.drop(once) == 3).all()  # doubt, predictive_entropy, max_p
    wide = table[table["measure"] == "doubt"].pivot(index=["mask_id", "region"], columns="metric", values="value")
    full = wide.xs("full", level="region")
    np.testing.assert_array_equal(full["score_mean"], full["mean_u"])
    assert (full["predicted_iou"] == 0.75).all() and (full["score_iou_head"] == 0.25).all()


def test_the_order_of_predictions_does_not_matter(split, tmp_path):
    order = [2, 0, 1]
    turned = {name: a[order] for name, a in maps().items()}
    one = measure(write_cell(tmp_path / "one"), split)
    other = measure(write_cell(tmp_path / "other", (11, 20, 10), arrays=turned), split)
    pd.testing.assert_frame_equal(one, other)


def test_a_cell_is_the_same_however_it_is_cut_into_shards(split, tmp_path, monkeypatch):
    cell, ids = write_cell(tmp_path / "cell"), []
    whole = measure_cell(cell, split, "sam", "toy")
    monkeypatch.setattr("uncertsam.metrics.measure.IMAGES", 1)

    def each(work, shards):
        ids.extend([image.id for image in shard.split] for shard in shards)
        return [work(pickle.loads(pickle.dumps(shard))) for shard in shards]

    cut = measure_cell(cell, split, "sam", "toy", each)
    assert ids == [[1], [2], [3]]
    pd.testing.assert_frame_equal(cut.table, whole.table, rtol=1e-6)  # sums over other memory
    pd.testing.assert_frame_equal(cut.curves, whole.curves, rtol=1e-6)


BROKEN = {
    "a mask is missing": {"mask_ids": (20, 10), "rows": (0, 1), "arrays": maps((2, LOW, LOW))},
    "a mask is unknown": {"mask_ids": (20, 10, 99)},
    "a mask comes twice": {"mask_ids": (20, 10, 10)},
    "a row comes twice": {"rows": (0, 1, 1)},
    "maps are too few": {"arrays": maps((2, LOW, LOW))},
    "maps differ in shape": {"arrays": maps() | {"logits": maps((3, 8, 8))["logits"]}},
    "no map of the measure": {"arrays": {"logits": maps()["logits"]}},
    "infinite logits": {"arrays": maps() | {"logits": np.full((3, LOW, LOW), np.inf, np.float32)}},
    "the doubt is NaN": {"arrays": maps() | {"doubt": np.full((3, LOW, LOW), np.nan, np.float32)}},
}


@pytest.mark.parametrize("problem", BROKEN)
def test_broken_predictions_are_refused_by_name(split, tmp_path, problem):
    cell = write_cell(tmp_path / "cell", **BROKEN[problem])
    with pytest.raises(UserError, match=r"(index\.parquet|maps\.safetensors).*predict stage"):
        measure(cell, split)


@pytest.mark.parametrize("name", ["index.parquet", "maps.safetensors", "meta.json"])
@pytest.mark.parametrize("content", [None, b"not this format"])
def test_missing_or_broken_files_are_refused_by_name(split, tmp_path, name, content):
    cell = write_cell(tmp_path / "cell")
    (cell / name).unlink()
    if content:
        (cell / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        measure(cell, split)


def test_a_truth_of_another_size_than_its_image_is_refused(split, tmp_path):
    path = split / "annotations" / "dataset.json"
    value = json.loads(path.read_text())
    value["annotations"][0]["segmentation"] = encode_rle(np.ones((9, 9), bool))
    path.write_text(json.dumps(value))
    with pytest.raises(UserError, match="mask 10"):
        measure(write_cell(tmp_path / "cell"), split)


def test_curves_are_means_over_the_masks_that_were_measured(split, tmp_path):
    measured = measure_cell(write_cell(tmp_path / "cell"), split, "sam", "toy")
    own = at_default(measured.table)
    full = own[own["region"] == "full"].groupby("metric")["value"].mean()
    curve = measured.curves[measured.curves["kind"] == "risk_coverage"]
    assert (curve["y"] * curve["weight"]).sum() == pytest.approx(full["aurc"], abs=1e-6)
    bins = measured.curves[measured.curves["kind"] == "reliability"]
    assert bins["weight"].sum() == pytest.approx(1, abs=1e-6)
    assert set(measured.curves["method"]) == {"sam"} and set(measured.curves["dataset"]) == {"toy"}
