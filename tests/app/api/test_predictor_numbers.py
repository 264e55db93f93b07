"""The API answers what the pipeline does, number for number."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from small_models import same_pass

from uncertsam.base.registry import load_method, method_names
from uncertsam.inference.predictions import PredictionTask, predict_cell
from uncertsam.metrics.measure import measure_cell
from uncertsam.metrics.stored import read_measure
from uncertsam.models.store import StreamedEmbeddings
from uncertsam.predictor import UncertaintyPredictor

SEED, DATASET = 3, "golden"
HERE = [
    name for name in method_names() if load_method(name).FITTED in (None, "laplace")
]  # others' parts take a training


@pytest.fixture(scope="module")
def slim(golden_split):
    """Two of the pictures."""
    ids = list(golden_split.images)[:2]
    return replace(golden_split, images={i: golden_split.images[i] for i in ids})


@pytest.fixture(scope="module")
def cell_of(nano, slim, sections, fitted_parts, tmp_path_factory):
    """A method's cell as the pipeline writes it: index, logits, uncertainty."""

    def make(name):
        kind, out = load_method(name), tmp_path_factory.mktemp("cell") / name
        method = kind.build(
            kind.Params(**sections.get(name, {})), nano, fitted_parts / kind.FITTED if kind.FITTED else None
        )
        cell = PredictionTask(nano, method, StreamedEmbeddings(nano, torch.float32), slim, DATASET, SEED)
        predict_cell(cell, out, {"method": name, "dataset": DATASET})
        maps = load_file(out / "maps.safetensors")
        return pd.read_parquet(out / "index.parquet"), maps | {"uncertainty": read_measure(out).of(maps)}, out

    return make


@pytest.mark.parametrize("name", HERE)
def test_every_method_answers_a_pictures_boxes_as_the_pipeline_does(name, nano, slim, sections, fitted_parts, cell_of):
    index, maps, _ = cell_of(name)
    predictor = UncertaintyPredictor(nano, [name], fitted_parts, sections, SEED)
    for image in slim:
        rows = index[index["image_id"] == image.id]
        predictor.set_image(slim.root / "images" / image.file_name, DATASET, image.id)
        answers = predictor.predict_boxes(rows[["x0", "y0", "x1", "y1"]].to_numpy())
        for row, answer in zip(rows.itertuples(), answers, strict=True):
            assert same_pass(answer.logits, maps["logits"][row.row])
            assert same_pass(
                answer.uncertainty, nano.geometry.to_picture(maps["uncertainty"][row.row], (image.height, image.width))
            )
            assert same_pass([answer.iou, answer.object_logit], [row.iou_predicted, row.object_score])


@pytest.mark.parametrize("name", ["sam", "laplace", "prompt"])
def test_a_box_alone_is_answered_as_among_others(name, nano, slim, sections, fitted_parts, cell_of):
    """But for the rounding of a batch."""
    index, maps, _ = cell_of(name)
    image, row = next(iter(slim)), index.iloc[0]
    predictor = UncertaintyPredictor(nano, [name], fitted_parts, sections, SEED)
    predictor.set_image(slim.root / "images" / image.file_name, DATASET, image.id)
    answer = predictor.predict(box=row[["x0", "y0", "x1", "y1"]].tolist())
    np.testing.assert_allclose(answer.logits, maps["logits"][0], atol=1e-3)
    np.testing.assert_allclose(answer.low_uncertainty, maps["uncertainty"][0], atol=1e-4)


def test_the_score_is_the_pipelines_mean_u(nano, slim, sections, fitted_parts, cell_of, golden_split):
    index, _, out = cell_of("sam")
    predictor = UncertaintyPredictor(nano, ["sam"], fitted_parts, sections, SEED)
    kept = index["mask_id"].tolist()
    pruned = out.parent / "split"
    (pruned / "annotations").mkdir(parents=True)
    (pruned / "images").symlink_to(golden_split.root / "images")
    whole = pd.read_json(golden_split.root / "annotations" / "dataset.json", typ="series")
    whole["images"] = [i for i in whole["images"] if i["id"] in slim.images]
    whole["annotations"] = [a for a in whole["annotations"] if a["id"] in kept]
    (pruned / "annotations" / "dataset.json").write_text(whole.to_json())
    table = measure_cell(out, pruned, "sam", DATASET).table
    means = table[(table["metric"] == "mean_u") & (table["region"] == "full")].set_index("mask_id")["value"]
    for image in slim:
        rows = index[index["image_id"] == image.id]
        predictor.set_image(slim.root / "images" / image.file_name)
        for row, answer in zip(
            rows.itertuples(), predictor.predict_boxes(rows[["x0", "y0", "x1", "y1"]].to_numpy()), strict=True
        ):
            assert answer.score == pytest.approx(means[row.mask_id], rel=1e-5)  # two passes


def test_random_numbers_come_from_what_is_on_the_picture(predictor, picture):
    box = (20, 20, 150, 150)
    first = predictor.predict(box=box, method="laplace")
    predictor.set_image(np.asarray(predictor._seen.pixels))
    assert same_pass(predictor.predict(box=box, method="laplace").logits, first.logits)
    predictor.set_image(picture, image_id="another")
    assert not same_pass(predictor.predict(box=box, method="laplace").logits, first.logits)


def test_another_seed_draws_other_samples(nano, sections, fitted_parts, picture):
    answers = []
    for seed in (0, 1):
        predictor = UncertaintyPredictor(nano, ["laplace"], fitted_parts, sections, seed)
        predictor.set_image(picture)
        answers.append(predictor.predict(box=(20, 20, 150, 150)).probability)
    assert not same_pass(*answers)
    np.testing.assert_allclose(*answers, atol=0.2)  # of the same posterior all the same


def test_pictures_in_batches_are_answered_as_one_by_one(nano, slim, sections, fitted_parts):
    predictor = UncertaintyPredictor(nano, ["sam"], fitted_parts, sections)
    files = [slim.root / "images" / image.file_name for image in slim]
    boxes = [[(20, 20, 150, 150)], [(10, 10, 90, 90), (40, 50, 120, 180)]]
    together = list(predictor.predict_images(files, boxes, batch=2))
    assert [len(answers) for answers in together] == [1, 2]
    for alone, answers in zip(predictor.predict_images(iter(files), iter(boxes)), together, strict=True):
        for one, other in zip(alone, answers, strict=True):
            np.testing.assert_allclose(one.logits, other.logits, atol=1e-3)
            assert one.origin == other.origin


def test_pictures_and_boxes_must_be_as_many(predictor, picture):
    with pytest.raises(ValueError):
        list(predictor.predict_images([picture, picture], [[(0, 0, 50, 50)]]))
