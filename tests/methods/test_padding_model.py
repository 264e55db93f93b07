"""A model that pads and has two heads and no object logit goes through every stage as SAM 2 does."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import PaddingModel

from uncertsam.base.registry import load_method
from uncertsam.base.rng import torch_generator
from uncertsam.config.training import FitLaplace
from uncertsam.data.format import Annotation, ImageRecord, Split, encode_rle, read_split, write_split
from uncertsam.inference.algebra import Inputs
from uncertsam.inference.predictions import PredictionTask, predict_cell
from uncertsam.methods.posterior.examples import read_examples
from uncertsam.methods.posterior.fit import fit
from uncertsam.methods.posterior.predictive import DrawnLayers, moments
from uncertsam.methods.posterior.state import LaplaceState, load, save
from uncertsam.metrics.measure import measure_cell
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.prompts import to_prompts
from uncertsam.models.store import Embeddings, encode, encode_dataset, open_embeddings
from uncertsam.predictor import UncertaintyPredictor

SIZES = {1: (40, 100), 2: (90, 31)}
BOXES = {1: (10, 5, 80, 34), 2: (4, 20, 26, 81)}
KNOBS = FitLaplace(resolution=32, prior_precision=4.0)


def oval(image: int) -> np.ndarray:
    (height, width), (x0, y0, x1, y1) = SIZES[image], BOXES[image]
    y, x = np.ogrid[:height, :width]
    across, down = (x - (x0 + x1) / 2) / (x1 - x0 + 1), (y - (y0 + y1) / 2) / (y1 - y0 + 1)
    return across**2 + down**2 <= 0.25


@pytest.fixture(scope="module")
def model() -> PromptableModel:
    return PaddingModel()


@pytest.fixture(scope="module")
def ovals(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """One flat and one upright picture, with an oval on each."""
    root, rng = tmp_path_factory.mktemp("ovals") / "test", np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    records = [ImageRecord(i, width, height) for i, (height, width) in SIZES.items()]
    for record in records:
        pixels = rng.integers(0, 256, (*SIZES[record.id], 3), np.uint8)
        Image.fromarray(pixels).save(root / "images" / record.file_name)
    write_split(root, {}, records, [Annotation(i, i, int(oval(i).sum()), encode_rle(oval(i))) for i in SIZES])
    return read_split(root)


@pytest.fixture(scope="module")
def store(model: PromptableModel, ovals: Split) -> Embeddings:
    out = ovals.root.parent.parent / "embeddings"
    encode_dataset(model, ovals.root.parent, out, "float32", 1, stream=False)
    return open_embeddings(out, model)


@pytest.fixture(scope="module")
def state(model: PromptableModel, ovals: Split, store: Embeddings) -> LaplaceState:
    return fit(model, read_examples(model, store, ovals, KNOBS, 0, "ovals"), KNOBS)


@pytest.mark.parametrize("name", ["sam", "laplace_closed", "laplace"])
def test_it_finds_the_oval_in_every_box_from_pictures_to_metrics(
    name: str, model: PromptableModel, ovals: Split, store: Embeddings, state: LaplaceState, tmp_path: Path
) -> None:
    save(state, tmp_path / "laplace", {})
    kind = load_method(name)
    method = kind.build(kind.Params(), model, tmp_path / "laplace" if kind.FITTED else None)
    out = tmp_path / name
    predict_cell(PredictionTask(model, method, store, ovals, "ovals", 0), out, {"method": name, "dataset": "ovals"})
    assert json.loads((out / "meta.json").read_text())["layout"]["pads"]
    table = measure_cell(out, ovals.root, name, "ovals").table
    whole = table[table["region"] == "full"]
    assert (whole.loc[whole["metric"] == "iou", "value"] > 0.9).all() and len(whole) > 2


def test_a_posterior_of_two_heads_survives_the_disk(
    state: LaplaceState, model: PromptableModel, tmp_path: Path
) -> None:
    save(state, tmp_path / "laplace", {})
    torch.testing.assert_close(load(tmp_path / "laplace", model).tensors(), state.tensors(), rtol=0, atol=0)
    assert [tuple(each.shape) for each in state.curvature_weight] == [(5, 5), (1, 2)]


def test_variances_add_up_over_heads(state: LaplaceState, model: PromptableModel) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 100, 3), np.uint8)
    embedding = encode(model, model.geometry.to_input(picture)[None], torch.float32)
    decoded = model.decode(embedding, to_prompts(model.geometry, (40, 100), torch.tensor([[10.0, 5, 80, 34]])))
    count, expected = 4000, moments(state, decoded, False)
    drawn = DrawnLayers(state, count, torch_generator(0)).logits(decoded, False)[1:]
    assert (drawn.var(0) / expected.variance - 1).abs().max() < 6 * (2 / count) ** 0.5
    assert ((drawn.mean(0) - expected.mean) / (expected.variance / count).sqrt()).abs().max() < 6


def test_the_gate_leaves_every_mask_where_no_object_logit_is_known(
    model: PromptableModel, ovals: Split, store: Embeddings
) -> None:
    kind, prompts = load_method("sam"), to_prompts(model.geometry, SIZES[1], torch.tensor([[*map(float, BOXES[1])]]))
    inputs = Inputs(model, store.read(ovals, 1), prompts, lambda: None, lambda name: torch_generator(0, name))
    gated, open_ = (kind.build(kind.Params(gate=gate), model, None)(inputs) for gate in (True, False))
    assert all(torch.equal(one, other) for one, other in zip(gated.chunks(), open_.chunks(), strict=True))


def test_it_answers_in_python(model: PromptableModel, ovals: Split, tmp_path: Path) -> None:
    predictor = UncertaintyPredictor(model, params={})
    predictor.set_image(ovals.pixels(1))
    prediction = predictor.predict(box=BOXES[1])
    both, either = (prediction.mask & oval(1)).sum(), (prediction.mask | oval(1)).sum()
    assert both / either > 0.9 and prediction.object_logit is None
    assert json.loads(prediction.save(tmp_path)["prediction"].read_text())["object_score"] is None
