"""Pictures and prompts as people have them; nonsense is refused in one sentence."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import same_pass

from uncertsam.api.pictures import pixels_of
from uncertsam.api.questions import question
from uncertsam.errors import UserError

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


def test_sixteen_bits_are_scaled_by_the_largest_value(rgb, tmp_path):
    deep = rgb[..., 0].astype(np.uint16) * 16
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert pixels_of(deep).max() == 255
    assert np.array_equal(pixels_of(tmp_path / "deep.png"), pixels_of(deep))


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
        ({"box": (10, 10, 10, 40)}, "has no area"),
        ({"box": (40, 10, 10, 40)}, "has no area"),
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
    ],
)
def test_a_prompt_that_makes_no_sense_is_refused(asked, told):
    with pytest.raises(UserError, match=told):
        question(SIZE, **asked)


def test_an_answer_needs_a_picture_and_a_known_method(predictor, nano, sections, fitted_parts):
    from uncertsam.predictor import UncertaintyPredictor

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
    from uncertsam.predictor import UncertaintyPredictor
    from uncertsam.sam.checkpoints import build_network
    from uncertsam.sam.model import PromptableModel

    other = PromptableModel(build_network("sam2_nano").eval(), "sam2_nano", "f" * 64)
    with pytest.raises(UserError, match="was fitted on sam2_nano"):
        UncertaintyPredictor(other, ["laplace"], fitted_parts, sections)
