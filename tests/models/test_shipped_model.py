"""The shipped models and posteriors: sam2_nano beats the filled box on photos that it never saw."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from staging import stage

from uncertsam.app.api.loading import weights_of
from uncertsam.base.checkout import embedded, shipped
from uncertsam.methods.posterior import state as posterior
from uncertsam.models.checkpoints import load_model
from uncertsam.models.prompts import box_of_mask, to_prompts
from uncertsam.models.store import encode


def ious(model, image, mask) -> tuple[float, float]:
    """IoU of the model's answer to the box of `mask`, and of the filled box."""
    height, width = mask.shape
    box = box_of_mask(torch.from_numpy(mask))
    embedding = encode(model, model.geometry.to_input(image)[None], torch.float32)
    with torch.inference_mode():
        prompts = to_prompts(model.geometry, (height, width), box[None])
        answer = model.geometry.to_picture(model.decode(embedding, prompts).logits[0, 0].numpy(), (height, width)) > 0
    x0, y0, x1, y1 = map(int, box)
    filled = np.zeros_like(mask)
    filled[y0 : y1 + 1, x0 : x1 + 1] = True
    return tuple(float((m & mask).sum() / (m | mask).sum()) for m in (answer, filled))


def test_it_beats_the_filled_box_on_videos_that_it_never_saw(root, real_data):
    model = load_model("sam2_nano", root / "checkpoints" / "sam2_nano.safetensors", torch.device("cpu"))
    scores = []
    for path in sorted((real_data / "davis_objects" / "images").glob("*.jpg"))[::5]:
        mask = np.asarray(Image.open(real_data / "davis_objects" / "masks" / f"{path.stem}.png")) > 127
        scores.append(ious(model, np.asarray(Image.open(path).convert("RGB")), mask))
    ours, filled = np.mean(scores, axis=0)
    assert ours > filled


@pytest.mark.parametrize("shape", [(40, 60), (1, 1), (300, 17)])
def test_it_answers_pictures_of_any_shape(root, shape):
    model = load_model("sam2_nano", root / "checkpoints" / "sam2_nano.safetensors", torch.device("cpu"))
    assert all(0 <= score <= 1 for score in ious(model, np.zeros((*shape, 3), np.uint8), np.ones(shape, bool)))


@pytest.mark.parametrize("name", embedded())
def test_every_shipped_posterior_belongs_to_its_weights(name):
    """By the hash of the weights; its own tensors by the hash in its manifest."""
    model = load_model(name, weights_of(name), torch.device("cpu"))
    state = posterior.load(shipped(f"fitted/{name}/laplace"), model)
    assert state.model == model.name == name and state.images > 0


def test_the_shipped_posterior_is_what_the_demo_makes_of_the_weights(root, tmp_path, monkeypatch):
    """Of the stages from generated pictures to the fit; processors round differently."""
    for name in ("checkpoints", "src"):
        (tmp_path / name).symlink_to(root / name)
    shutil.copy(root / "profiles" / "demo.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    fitted_on = {"item.source": "src/uncertsam/data/raw/worlds/everything.py"}
    for name in ("acquire", "preprocess", "subset", "encode_subset", "fit_laplace"):
        key = "everything" if name in ("acquire", "preprocess") else "everything_sample"
        dataset = "everything" if name == "subset" else key
        stage(name, {**fitted_on, "key": key, "fit.dataset": key, "item.dataset": dataset})
    folders = Path("data/fitted/sam2_nano/laplace"), shipped("fitted/sam2_nano/laplace")
    made, ours = (load_file(folder / "posterior.safetensors") for folder in folders)
    assert made.keys() == ours.keys()
    for key, tensor in made.items():
        torch.testing.assert_close(ours[key], tensor, rtol=5e-3, atol=1e-3 * float(tensor.abs().max()))
