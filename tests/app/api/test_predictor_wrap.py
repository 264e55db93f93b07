"""Models and pictures that are there already: by name, by file, in a SAM2ImagePredictor."""

import numpy as np
import pytest
import torch
from PIL import Image
from sam2.sam2_image_predictor import SAM2ImagePredictor

from uncertsam.base.errors import UserError
from uncertsam.models.checkpoints import build_network, save_embedded
from uncertsam.predictor import UncertaintyPredictor

BOX = (10, 8, 60, 40)
NOISE = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def sam2() -> SAM2ImagePredictor:
    """SAM 2.1 tiny with random weights, which has encoded a picture of noise."""
    torch.manual_seed(0)
    loaded = SAM2ImagePredictor(build_network("sam2.1_tiny").eval())
    loaded.set_image(NOISE)
    return loaded


def test_a_wrapped_predictors_picture_is_taken_over(sam2):
    wrapped = UncertaintyPredictor.wrap(sam2, params={})
    with torch.inference_mode():
        picture = wrapped.model.encode(sam2._transforms(NOISE)[None])
    for ours, theirs in zip(wrapped._seen.embedding.maps, picture.maps, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    answer = wrapped.predict(box=BOX)
    assert answer.mask.shape == (48, 80) and np.isfinite(answer.uncertainty).all()
    assert wrapped.model.network is sam2.model


def test_its_logits_are_those_that_sam2_gives(sam2):
    """A click, in SAM 2's coordinates, whose pixel centres are at whole numbers of the square input."""
    wrapped = UncertaintyPredictor.wrap(sam2, params={"sam": {"token": 0, "gate": False}})
    x, y = 30.0, 20.0
    ours = wrapped.predict(points=[[x - 0.5 + 40 / 1024, y - 0.5 + 24 / 1024]])
    _, iou, low = sam2.predict(np.array([[x, y]]), np.array([1]), multimask_output=False)
    np.testing.assert_allclose(ours.logits, low[0].clip(-16.12, 16.12), atol=2e-3)
    assert ours.iou == pytest.approx(float(iou[0]), abs=1e-4)


def test_what_needs_the_picture_says_that_it_is_not_known(sam2, tmp_path):
    wrapped = UncertaintyPredictor.wrap(sam2, params={})
    for ask in (lambda: wrapped.predict(box=BOX, method="tta_geometric"), lambda: wrapped.predict(box=BOX).plot()):
        with pytest.raises(UserError, match="Call set_image with the picture"):
            ask()
    files = wrapped.predict(box=BOX).save(tmp_path)
    assert files.keys() == {"uncertainty", "maps", "prediction"}


def test_a_predictor_without_a_picture_gives_none(sam2):
    wrapped = UncertaintyPredictor.wrap(SAM2ImagePredictor(sam2.model), params={})
    with pytest.raises(UserError, match="Call set_image first"):
        wrapped.predict(box=BOX)


def test_what_is_no_predictor_or_not_ready_is_refused(nano):
    with pytest.raises(UserError, match="A str holds no SAM 2 model"):
        UncertaintyPredictor.wrap("sam2")

    class Holder:
        model = build_network("sam2_nano").train()

    with pytest.raises(UserError, match="evaluation mode"):
        UncertaintyPredictor.wrap(Holder())


def test_fitted_parts_find_a_wrapped_model_by_its_file(nano, sections, fitted_parts, weights_file):
    class Holder:
        model = nano.network

    with pytest.raises(UserError, match="was fitted on sam2_nano"):
        UncertaintyPredictor.wrap(Holder(), ["laplace"], fitted=fitted_parts, params=sections)
    wrapped = UncertaintyPredictor.wrap(Holder(), ["laplace"], weights_file, fitted=fitted_parts, params=sections)
    assert wrapped.model.digest == nano.digest and wrapped.model.name == "sam2_nano"

    class Other:
        model = build_network("sam2_nano").eval()

    with pytest.raises(UserError, match="has other weights than"):
        UncertaintyPredictor.wrap(Other(), ["laplace"], weights_file, fitted=fitted_parts, params=sections)


def test_a_model_is_found_by_name_by_path_and_by_the_name_of_its_file(nano, weights_file, sections, tmp_path):
    for source in ("sam2_nano", weights_file, str(weights_file)):
        assert UncertaintyPredictor.from_pretrained(source, device="cpu", params=sections).model.digest == nano.digest
    save_embedded(build_network("sam2_nano"), "sam2_nano", tmp_path / "mine.safetensors", {})
    made = UncertaintyPredictor.from_pretrained(tmp_path / "mine.safetensors", params=sections)
    assert made.model.name == "sam2_nano" and made.model.digest != nano.digest


def test_what_cannot_be_loaded_says_what_to_do(tmp_path, sections, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unknown.safetensors").write_bytes(b"x")
    cases = {
        "sam2_nanno": "Did you mean 'sam2_nano'",
        "sam2.1_large": r"sam2.1_hiera_large.pt are missing. Fetch them: uncertsam download sam2.1_large",
        "nowhere/model.pt": "There is no model named 'nowhere/model.pt', and no file",
        "unknown.safetensors": "does not say which model it holds. Give its name .name= in Python",
    }
    for source, told in cases.items():
        with pytest.raises(UserError, match=told):
            UncertaintyPredictor.from_pretrained(source, params=sections)
    with pytest.raises(UserError, match="There is no device 'tpu' here. Choose auto, cpu"):
        UncertaintyPredictor.from_pretrained("sam2_nano", device="tpu", params=sections)
    with pytest.raises(UserError, match="cannot be read as weights"):
        UncertaintyPredictor.from_pretrained("unknown.safetensors", name="sam2_nano", params=sections)


def test_a_wrong_parameter_is_named(nano, tmp_path):
    with pytest.raises(UserError, match="sam: token|sam.token"):
        UncertaintyPredictor(nano, ["sam"], params={"sam": {"token": 7}})
    with pytest.raises(UserError, match="Did you mean 'token'"):
        UncertaintyPredictor(nano, ["sam"], params={"sam": {"tokn": 0}})
    with pytest.raises(UserError, match="missing"):
        UncertaintyPredictor(nano, ["sam"], params=tmp_path / "params.yaml")


def test_a_picture_keeps_its_files_name(predictor, picture):
    assert predictor.predict(box=BOX).origin.image == picture.name
    with Image.open(picture) as image:
        predictor.set_image(image)
    assert predictor.predict(box=BOX).origin.image == picture.name
    predictor.set_image(np.zeros((50, 50, 3), np.uint8))
    assert predictor.predict(box=(1, 1, 40, 40)).origin.image == ""
