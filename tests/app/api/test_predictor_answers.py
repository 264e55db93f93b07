"""An answer can be looked at, kept, read back, handed on, and asked about again."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace

import cv2
import matplotlib
import numpy as np
import pytest
from pycocotools import mask as coco
from small_models import same_pass

from uncertsam.app.api.drawing import limits, overlay
from uncertsam.inference.algebra import Measure, Plain
from uncertsam.models.select import TokenPolicy
from uncertsam.predictor import UncertaintyPredictor

BOX = (30, 40, 200, 180)


@pytest.fixture
def answer(predictor):
    return predictor.predict(box=BOX, points=[[100, 100], [31, 41]], labels=[1, 0], method="laplace")


def test_maps_have_the_pictures_size_and_fit_together(answer, predictor):
    height, width = predictor._seen.size
    maps = [answer.mask, answer.probability, answer.uncertainty, *answer.decomposition.values()]
    assert {values.shape for values in maps} == {(height, width)}
    assert np.array_equal(answer.mask, answer.probability > 0.5)
    assert answer.uncertainty.min() >= 0 and answer.uncertainty.max() <= math.log(2) + 1e-6
    assert answer.score == pytest.approx(answer.uncertainty.mean(), rel=1e-5)
    assert answer.timings.keys() == {"encode", "prepare", "answer"} and min(answer.timings.values()) >= 0
    with pytest.raises(FrozenInstanceError):
        answer.iou = 1.0


def test_what_u_is_made_of_adds_up_to_u(answer):
    parts = answer.low_parts
    assert parts.keys() == {"expected_entropy", "mutual_information"}
    np.testing.assert_allclose(sum(parts.values()), answer.low_uncertainty, atol=1e-5)
    assert min(part.min() for part in parts.values()) >= 0
    assert parts["mutual_information"].max() > 1e-3  # the samples do disagree somewhere


@pytest.mark.parametrize("method", ["sam", "constant", "boundary_distance"])
def test_a_single_answer_has_no_parts(predictor, method):
    assert predictor.predict(box=BOX, method=method).decomposition == {}


def test_listening_changes_no_answer(predictor):
    plain = predictor.predict(box=BOX, method="laplace", decompose=False)
    assert plain.decomposition == {}
    assert same_pass(plain.logits, predictor.predict(box=BOX, method="laplace").logits)


def test_a_method_may_say_itself_what_its_u_is_made_of(predictor):
    class Halves(Plain):
        def __call__(self, inputs):
            plain = super().__call__(inputs)
            logits = next(iter(plain.chunks()))[0]
            return replace(plain, maps={"logit": logits}, parts={"half": logits / 2})

    predictor._built["halves"] = (Halves(TokenPolicy(), Measure("logit", "logit")), TokenPolicy())
    answer = predictor.predict(box=BOX, method="halves")
    np.testing.assert_allclose(answer.low_parts["half"].clip(-8, 8), answer.logits.clip(-16, 16) / 2, atol=1e-4)


def test_parts_of_many_objects_stay_in_order(predictor):
    boxes = [BOX, (10, 10, 60, 60), (50, 50, 250, 200)]
    together = predictor.predict_boxes(boxes, method="laplace")
    for box, one in zip(boxes, together, strict=True):
        alone = predictor.predict(box=box, method="laplace")
        np.testing.assert_allclose(one.low_parts["expected_entropy"], alone.low_parts["expected_entropy"], atol=1e-4)


def test_an_answer_is_a_prompt_for_the_next(predictor):
    first = predictor.predict(box=BOX)
    again = predictor.predict(box=BOX, mask=first)
    assert same_pass(again.logits, predictor.predict(box=BOX, mask=first.logits).logits)
    assert not same_pass(again.logits, first.logits)
    assert predictor.predict(mask=first).mask.shape == first.mask.shape


def test_what_is_done_once_per_picture_is_done_once(predictor, picture):
    first, second = (predictor.predict(box=BOX, method="tta_hue") for _ in range(2))
    assert first.timings["prepare"] > 0 and second.timings["prepare"] == 0
    assert same_pass(first.logits, second.logits)
    predictor.set_image(picture)
    assert predictor.predict(box=BOX, method="tta_hue").timings["prepare"] > 0


def test_what_is_saved_reads_back(answer, tmp_path):
    files = answer.save(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in files.values()}
    told = json.loads(files["prediction"].read_text())
    with np.load(files["maps"]) as maps:
        assert np.array_equal(maps["mask"], answer.mask) and np.array_equal(maps["uncertainty"], answer.uncertainty)
        assert {"probability", "logits", "expected_entropy", "mutual_information"} <= {*maps}
    deep = cv2.imread(str(files["uncertainty"]), cv2.IMREAD_UNCHANGED)
    ends = told["uncertainty_png"]
    assert deep.dtype == np.uint16
    step = (ends["high"] - ends["low"]) / 65535
    np.testing.assert_allclose(ends["low"] + deep * step, answer.uncertainty, atol=step)
    assert told["box"] == [*BOX] and told["labels"] == [1, 0] and told["method"] == "laplace" and told["unit"] == "nats"
    assert told["score"] == answer.score and told["params"]["samples"] == 50
    assert cv2.imread(str(files["overlay"])).shape[:2] == answer.size


def test_cocos_form_decodes_to_the_mask(answer):
    told = answer.to_coco()
    json.dumps(told)
    assert np.array_equal(coco.decode(told["segmentation"]).astype(bool), answer.mask)
    rows, columns = np.nonzero(answer.mask)
    assert told["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert told["area"] == answer.mask.sum() and told["score"] == answer.iou


def test_the_overlay_marks_outline_and_doubt(predictor):
    predictor.set_image(np.full((128, 256, 3), (250, 120, 0), np.uint8))
    logits, doubt = np.full((64, 64), -16, np.float32), np.zeros((64, 64), np.float32)
    logits[16:48, 16:48], doubt[56:, 56:] = 16, math.log(2)
    drawn = overlay(replace(predictor.predict(box=BOX), logits=logits, low_uncertainty=doubt)).astype(int)
    red, _, blue = np.moveaxis(drawn, -1, 0)
    assert drawn.shape == (128, 256, 3)
    assert np.ptp(drawn[4, 4]) == np.ptp(drawn[64, 128]) == 0  # grey where nothing is in doubt, in the mask or not
    assert (blue - red)[28:36, 64:192].max() > 150  # the outline's upper side
    assert (red - blue)[120, 250] > 50  # the warm end of the colours where doubt is greatest


def test_an_empty_mask_is_drawn_saved_and_coded(predictor, tmp_path):
    from dataclasses import replace

    empty = replace(predictor.predict(box=BOX), logits=np.full((64, 64), -5, np.float32))
    empty.save(tmp_path / "empty")
    assert empty.to_coco()["bbox"] == [0, 0, 0, 0] and empty.to_coco()["area"] == 0


def test_a_flat_map_of_any_unit_has_a_scale(predictor, tmp_path):
    answer = predictor.predict(box=BOX, method="constant")
    low, high = limits(answer)
    assert low == 0 and high == 1
    answer.save(tmp_path / "constant")


def test_rounding_is_not_drawn_as_if_it_were_disagreement(predictor):
    """Prompt perturbation moves boxes only: of a click all members are the same."""
    answer = predictor.predict(points=[[100, 100]], method="prompt")
    assert answer.decomposition["mutual_information"].max() < 1e-5
    labels = [text.get_text() for axes in answer.plot().axes for text in axes.get_xticklabels()]
    assert labels[-1] == "0.00069"  # a thousandth of ln 2


@pytest.mark.parametrize("shape", [(20, 900, 3), (900, 20, 3), (1, 1, 3)])
def test_strips_and_dots_are_answered_and_drawn(predictor, tmp_path, shape):
    predictor.set_image(np.zeros(shape, np.uint8))
    answer = predictor.predict(points=[[0, 0]])
    assert answer.mask.shape == shape[:2]
    answer.save(tmp_path / "out")


def test_the_figure_names_method_picture_and_scores(answer, picture):
    figure = answer.plot()
    words = " ".join(text.get_text() for text in figure.texts)
    assert picture.name in words and "Laplace" in words and "mean uncertainty" in words
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert titles == [
        "Mask and prompt",
        "Probability of the object",
        "Uncertainty",
        "Expected entropy",
        "Mutual information",
    ]
    legend = {text.get_text() for text in figure.legends[0].get_texts()}
    assert legend == {"mask", "box", "click on it", "click beside it"}


WILD = {"font.size": 20, "figure.dpi": 40, "savefig.dpi": 300, "savefig.bbox": "tight", "axes.grid": True}
WILD |= {"axes.facecolor": "red", "text.usetex": True, "xtick.major.size": 9, "image.interpolation": "nearest"}


def test_threads_draw_the_same_picture_whatever_the_callers_settings_which_stay(answer, tmp_path):
    expected = answer.plot()._repr_png_()  # what a notebook shows, without pyplot
    with matplotlib.rc_context(WILD), ThreadPoolExecutor(4) as threads:
        before = dict(matplotlib.rcParams)
        saved = list(threads.map(lambda k: answer.save(tmp_path / str(k))["plot"], range(8)))
        assert dict(matplotlib.rcParams) == before
    assert {path.read_bytes() for path in saved} == {expected}


def test_the_same_question_gives_the_same_files(nano, sections, fitted_parts, picture, tmp_path):
    for name in ("one", "two"):
        predictor = UncertaintyPredictor(nano, ["laplace"], fitted_parts, sections)
        predictor.set_image(picture)
        predictor.predict(box=BOX).save(tmp_path / name)
    for file in ("overlay.png", "plot.png", "uncertainty.png"):
        one, two = (cv2.imread(str(tmp_path / out / file), -1).astype(int) for out in ("one", "two"))
        assert np.abs(one - two).max() <= (8 if file == "uncertainty.png" else 1)  # levels; two passes


def test_combined_methods_bring_their_own_parts(predictor):
    found = predictor.predict(box=[20, 30, 180, 150], method="combined_total")
    assert set(found.decomposition) == {"model", "image", "prompt"}
    total = sum(found.low_parts.values())
    np.testing.assert_allclose(total, found.low_uncertainty, atol=1e-6)
