"""Pictures and prompts as people have them; nonsense is refused in one sentence."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import same_pass

from uncertsam.app.api.pictures import pixels_of
from uncertsam.app.api.prompts import question
from uncertsam.base.errors import UserError
from uncertsam.models.prompts import box_of_mask
from uncertsam.models.sam2 import Sam2Model
from uncertsam.predictor import UncertaintyPredictor

SIZE = (60, 80)  # H, W


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def test_one_picture_is_the_same_in_every_form(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    opaque = np.dstack([rgb, np.full(SIZE, 255, np.uint8)])
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)
    forms = [
        tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(rgb), Image.fromarray(opaque), rgb, opaque, rgb[:],
        np.asfortranarray(rgb), tensor, tensor / 255, tensor.double() / 255,
    ]  # fmt: skip
    assert all(np.array_equal(pixels_of(form), rgb) for form in forms)


def test_grey_becomes_three_equal_channels(rgb):
    grey = rgb[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    forms = [grey, grey[..., None], Image.fromarray(grey), torch.from_numpy(grey.copy())[None]]
    assert all(np.array_equal(pixels_of(form), expected) for form in forms)


def test_a_palette_is_read_by_its_colours(rgb):
    palette = Image.fromarray(rgb).quantize(16)
    assert np.array_equal(pixels_of(palette), np.asarray(palette.convert("RGB")))


def test_exif_turns_the_picture_upright(rgb, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(rgb).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(pixels_of(tmp_path / "turned.png"), np.rot90(rgb, -1))
    with Image.open(tmp_path / "turned.png") as image:
        assert np.array_equal(pixels_of(image), np.rot90(rgb, -1))


@pytest.mark.parametrize(
    "nonsense",
    [
        np.zeros((60, 80, 3), np.float32), np.zeros((60, 80, 2), np.uint8), np.zeros((60,), np.uint8),
        np.zeros((60, 80, 3), np.uint16), np.zeros((0, 80, 3), np.uint8), torch.zeros(60, 80, 3),
        torch.ones(3, 4, 4) * 2,
        torch.full((3, 4, 4), float("nan")), torch.zeros(1, 3, 4, 4), None, 7, [[1, 2], [3, 4]],
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_and_the_forms_are_named(nonsense):
    with pytest.raises(UserError, match="Give a path, a PIL image, a numpy array"):
        pixels_of(nonsense)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(UserError, match=r"a\.jpg is no picture that can be used"):
        pixels_of(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="There is no file"):
        pixels_of(tmp_path / "b.jpg")


def test_a_picture_whose_file_is_cut_short_is_refused(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    with Image.open(tmp_path / "cut.png") as image, pytest.raises(UserError, match="cannot be used: .*truncated"):
        pixels_of(image)
    with pytest.raises(UserError, match=r"cut\.png is no picture that can be used"):
        pixels_of(tmp_path / "cut.png")


def test_a_hundred_megapixels_are_refused_before_they_are_decoded(tmp_path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    with pytest.raises(UserError, match=r"huge\.png is too large: it has 100\.0 megapixels"):
        pixels_of(tmp_path / "huge.png")
    with pytest.raises(UserError, match="has 0.0 megapixels, more than `max_megapixels`"):
        pixels_of(Image.new("L", (200, 200)), most=0.01)


def test_a_box_that_reaches_out_is_cut_and_says_so():
    asked = question(SIZE, box=(-5, 10, 200, 40))
    assert asked.box == (0, 10, 79, 40)
    assert asked.notes == ("The box [-5, 10, 200, 40] was cut to the picture: [0, 10, 79, 40].",)
    assert question(SIZE, box=(0, 0, 79, 59)).notes == ()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "There is no prompt"),
        ({"box": (40, 10, 10, 40)}, "has no area: it ends before it begins. .* COCO's width and height are no ends"),
        ({"box": (-9, 10, -1, 40)}, "lies outside of the picture"),
        ({"box": (0, 0, 10**400, 40)}, "are no numbers"),
        ({"box": np.array([1, 2, 3, 4j])}, "are no numbers"),
        ({"box": [[1], [2, 3]]}, "is no array of numbers"),
        (
            {"box": (0.25, 0.25, 0.75, 0.75)},
            "looks normalised: .* Multiply x by the picture's width and y by its height",
        ),
        ({"box": (0, 0, 1, 0.5)}, "looks normalised"),
        ({"points": [[0.5, 0.5], [0.1, 1]]}, "looks normalised"),
        ({"box": (90, 10, 120, 40)}, "lies outside of the picture, which has 80x60 pixels"),
        ({"box": (1, 2, 3)}, "is of the wrong form"),
        ({"box": (0, 0, float("nan"), 5)}, "is of the wrong form"),
        ({"box": "abcd"}, "are no numbers"),
        ({"box": {"x": 1}}, "are no numbers"),
        ({"labels": [1], "box": (0, 0, 9, 9)}, "labels, but no points"),
        ({"points": [[80, 10]]}, "outside of the picture of 80x60 pixels"),
        ({"points": [[-1, 10]]}, r"The point \[-1, 10\] is outside"),
        ({"points": []}, "nothing is of the wrong form"),
        ({"points": [3, 4]}, "is of the wrong form"),
        ({"points": [[3, 4]], "labels": [1, 0]}, "1 points and 2 labels"),
        ({"points": [[3, 4]], "labels": [2]}, "The labels are"),
        ({"mask": np.zeros((4, 4), bool), "side": 4}, "is none that the model takes"),
        ({"mask": np.zeros((4, 5), np.float32), "side": 4}, r"shape \[4, 5\]"),
        ({"mask": np.full((4, 4), np.inf, np.float32), "side": 4}, "finite floats"),
        ({"mask": np.full((4, 4), 1e300), "side": 4}, "finite floats"),
        ({"mask": [[1], [2, 3]], "side": 4}, "is no array of numbers"),
    ],
)
def test_a_prompt_that_makes_no_sense_is_refused(asked, told):
    with pytest.raises(UserError, match=told):
        question(SIZE, **asked)


@pytest.mark.parametrize("size", [(60, 80), (1, 80), (60, 1), (1, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_every_box_that_the_pipeline_draws_is_taken_as_it_is(size, seed):
    """A pole, a wire, the picture's edge, one pixel: both ends are inside."""
    places = np.random.default_rng(seed).integers(0, size, (2, 2))
    for some in (places, places[:1], np.stack([places[0], [places[1][0], places[0][1]]])):
        mask = torch.zeros(size)
        mask[tuple(some.T)] = 1
        asked = question(size, box=box_of_mask(mask))
        assert asked.box == tuple(box_of_mask(mask).tolist()) and not any("cut" in note for note in asked.notes)


@pytest.mark.parametrize(
    ("box", "left"),
    [((-10, 10, 0, 40), (0, 10, 0, 40)), ((79, 10, 99, 40), (79, 10, 79, 40)), ((79.5, -3, 99, 0), (79, 0, 79, 0))],
)
def test_of_a_box_on_the_edge_what_is_inside_is_left(box, left):
    asked = question(SIZE, box=box)
    assert asked.box == left and "was cut to the picture" in asked.notes[0]


def test_the_corner_of_two_by_two_pixels_is_asked_with_a_note():
    assert "the whole picture is [0, 0, 79, 59]" in question(SIZE, box=(0, 0, 1, 1)).notes[0]
    assert question((2, 2), box=(0, 0, 1, 1)).notes == () and question((2, 2), box=(0, 0, 0.5, 1)).notes == ()


def test_numbers_of_a_graph_or_of_short_floats_are_numbers():
    for kind in (torch.float32, torch.bfloat16):
        box = torch.tensor([1.0, 2, 30, 40], dtype=kind, requires_grad=True)
        mask = torch.zeros(4, 4, dtype=kind, requires_grad=True)
        assert question(SIZE, box=box, mask=mask, side=4).box == (1, 2, 30, 40)


KINDS = {  # the call -> what is said
    "p.predict_boxes(None)": "boxes=None is no list of boxes",
    "p.predict(box=(0, 0, 9, 9), method=['sam'])": "is not a name",
    "list(p.predict_images('a.png', [[(0, 0, 9, 9)]]))": "images is one str, no list of pictures",
    "list(p.predict_images(np.zeros((9, 9, 3), np.uint8), []))": "images is one ndarray",
    "list(p.predict_images([], [], batch=0))": "batch=0 encodes nothing",
    "p.from_pretrained(device=None)": "There is no device None here",
    "p.from_pretrained(device='meta')": "There is no device 'meta' here",
    "p.from_pretrained(None)": "is not the name of a model, or a file of weights",
    "p.from_pretrained(methods=5)": "is no list of names",
    "p.from_pretrained(seed='x')": "seed='x' is not a whole number",
    "p.from_pretrained(params=['sam'])": "is not a file, or {section",
}


def test_an_argument_of_another_kind_is_named(tmp_path):
    """In a process of its own: here the hints of the arguments are checked before we are asked."""
    code = f"""
import numpy as np
from uncertsam.errors import UserError
from uncertsam.predictor import UncertaintyPredictor
p = UncertaintyPredictor.from_pretrained("sam2_nano")
p.set_image(np.zeros((60, 80, 3), np.uint8))
for call in {list(KINDS)}:
    try:
        eval(call)
    except UserError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    said = done.stdout.splitlines()
    assert len(said) == len(KINDS), done.stderr
    assert [told for told, line in zip(KINDS.values(), said, strict=True) if told not in line] == []


def test_a_pickled_predictor_answers_as_the_one_before(nano, fitted_parts, picture, tmp_path):
    """In another process; the picture stays behind, and the model is looked for at the first use only."""
    weights = shutil.copy(nano.weights, tmp_path / "a.safetensors")
    options = {"name": "sam2_nano", "fitted": fitted_parts, "params": {}, "seed": 3}
    first = UncertaintyPredictor.from_pretrained(weights, ["laplace"], "cpu", **options)
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(first))))
    for one in (first, again):
        one.set_image(picture)
    answers = [one.predict(box=(20, 20, 90, 90)) for one in (first, again)]
    assert np.array_equal(answers[0].logits, pickle.loads(pickle.dumps(answers[1])).logits)
    sent = pickle.dumps(first)
    assert len(sent) < 10_000
    Path(weights).write_bytes(b"other")
    Path(f"{weights}.json").unlink()  # the hash that was recorded at the first use
    with pytest.raises(UserError, match="a.safetensors cannot be read"):
        pickle.loads(sent).set_image(picture)
    with pytest.raises(UserError, match="no file of weights that another process could load"):
        pickle.dumps(UncertaintyPredictor(Sam2Model(nano.network, "wrapped", "0"), params={}))


def test_an_answer_needs_a_picture_and_a_known_method(predictor, nano, sections, fitted_parts):
    with pytest.raises(UserError, match="Did you mean 'laplace'"):
        predictor.predict(box=(0, 0, 50, 50), method="laplce")
    with pytest.raises(UserError, match="Call set_image first"):
        UncertaintyPredictor(nano, ["sam"], fitted_parts, sections).predict(box=(0, 0, 50, 50))
    with pytest.raises(UserError, match="is no list of names"):
        UncertaintyPredictor(nano, "sam", fitted_parts, sections)


def test_a_bad_picture_leaves_the_one_before(predictor):
    before = predictor.predict(box=(20, 20, 90, 90))
    with pytest.raises(UserError):
        predictor.set_image(np.zeros((3, 3)))
    assert same_pass(predictor.predict(box=(20, 20, 90, 90)).logits, before.logits)


def test_a_missing_fitted_part_says_how_to_get_it(nano, sections, tmp_path):
    from uncertsam.predictor import UncertaintyPredictor

    made = f"`uncertsam fit --out {tmp_path}`"
    with pytest.raises(UserError, match=f"needs the fitted part .*laplace, which is missing. Make it: {made}"):
        UncertaintyPredictor(nano, ["laplace"], tmp_path, sections)


def test_a_part_fitted_on_another_model_is_refused(sections, fitted_parts):
    from uncertsam.models.checkpoints import build_network

    other = Sam2Model(build_network("sam2_nano").eval(), "sam2_nano", "f" * 64)
    with pytest.raises(UserError, match="was fitted on sam2_nano"):
        UncertaintyPredictor(other, ["laplace"], fitted_parts, sections)
