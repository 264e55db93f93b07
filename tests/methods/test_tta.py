"""Colour changes against torchvision, symmetries against themselves, and ensembles over both."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from small_models import same_pass
from torch import Tensor

from uncertsam.base.registry import load_method
from uncertsam.base.rng import torch_generator
from uncertsam.inference.algebra import Answer, Inputs, Plain, answer
from uncertsam.inference.augment import COLOUR_CHANGES, Jitter, Symmetry
from uncertsam.inference.ensemble import Views
from uncertsam.inference.perturb import train_view
from uncertsam.methods import tta_hue, tta_train
from uncertsam.methods.tta_geometric import SYMMETRIES
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY
from uncertsam.models.geometry import Geometry, normalise
from uncertsam.models.promptable import Decoded, Embedding, PromptableModel
from uncertsam.models.prompts import (
    BACKGROUND,
    BOTTOM_RIGHT,
    FOREGROUND,
    PAD,
    TOP_LEFT,
    Prompts,
    box_of_mask,
    from_boxes,
)
from uncertsam.models.sam2 import Sam2Model
from uncertsam.models.select import TokenPolicy, select
from uncertsam.models.store import DTYPES

NAMES = ["tta_train", "tta_hue", "tta_geometric"]
FIELDS = ("logits", "uncertainty", "iou", "object_logit")
EIGHT = [Symmetry(t, h, v) for t in (False, True) for h in (False, True) for v in (False, True)]


def picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Colours of every kind; its left third is grey."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels[:, : width // 3] = pixels[:, : width // 3, :1]
    return pixels


def build(name: str, model: PromptableModel, **params: object) -> Views:
    module = load_method(name)
    views: Views = module.build(module.Params(token=0, gate=False, **params), model, None)
    return views


def few(name: str, model: PromptableModel) -> Views:
    """Two members that are not the plain picture."""
    return build(name, model, **({"symmetries": ["horizontal", "vertical"]} if "geo" in name else {"members": 2}))


def logits_of(method: Views, inputs: Inputs) -> Tensor:
    with torch.inference_mode():
        return torch.cat(list(method(inputs).chunks()))


def sam() -> Plain:
    return Plain(TokenPolicy(token=0, gate=False), PREDICTIVE_ENTROPY)


def assert_same(one: Answer, other: Answer, tolerance: float) -> None:
    for field in FIELDS:
        torch.testing.assert_close(getattr(one, field), getattr(other, field), atol=tolerance, rtol=tolerance)


@pytest.fixture(scope="module")
def seen(inputs: Inputs) -> Inputs:
    """A picture whose own embedding goes with it, and two objects."""
    pixels = picture(0)
    with torch.inference_mode():
        embedding = inputs.model.encode(inputs.model.geometry.to_input(pixels)[None])
    return replace(inputs, image=lambda: pixels, embedding=embedding, prompts=inputs.prompts[:2])


# --- colours


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 3), st.floats(-0.5, 0.5))
def test_colour_changes_equal_torchvisions(seed: int, factor: float, turns: float) -> None:
    from torchvision.transforms import functional

    image = Image.fromarray(picture(seed))
    for name, change in COLOUR_CHANGES.items():
        amount = turns if name == "hue" else factor
        expected = getattr(functional, f"adjust_{name}")(image, amount)
        np.testing.assert_array_equal(np.asarray(change(image, amount)), np.asarray(expected), name)


@pytest.mark.parametrize("seed", range(4))
def test_tta_train_is_torchvisions_pipeline_draw_for_draw(seed: int) -> None:
    from torchvision import transforms as t

    params = tta_train.Params(greyscale=0.5)
    first, second = (jitter.model_dump() for jitter in (params.jitter, params.second_jitter))
    steps = t.Compose([t.Resize((96, 96)), t.ColorJitter(**first), t.RandomGrayscale(0.5), t.ColorJitter(**second)])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        expected = np.array(steps(Image.fromarray(picture(seed))))
    view = train_view(params, picture(seed), Geometry(96, 24), torch.Generator().manual_seed(seed))
    torch.testing.assert_close(view, normalise(torch.from_numpy(expected).permute(2, 0, 1)[None])[0], rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(4))
def test_tta_hue_is_torchvisions_pipeline_draw_for_draw(seed: int) -> None:
    from torchvision import transforms as t

    steps = t.Compose([t.ColorJitter(hue=0.5), t.Resize((96, 96))])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        expected = np.array(steps(Image.fromarray(picture(seed))))
    view = tta_hue.view(Jitter(hue=0.5), picture(seed), Geometry(96, 24), torch.Generator().manual_seed(seed))
    torch.testing.assert_close(view, normalise(torch.from_numpy(expected).permute(2, 0, 1)[None])[0], rtol=0, atol=0)


# --- symmetries


@pytest.mark.parametrize("symmetry", EIGHT, ids=str)
def test_a_symmetry_is_undone_exactly(symmetry: Symmetry) -> None:
    x = torch.randn(2, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(symmetry.undo(symmetry.apply(x)), x) and torch.equal(symmetry.apply(symmetry.undo(x)), x)


def test_the_names_are_those_of_the_eight_symmetries_of_a_square() -> None:
    x = torch.arange(9.0).reshape(3, 3)
    expected = {
        "identity": x,
        "horizontal": torch.fliplr(x),
        "vertical": torch.flipud(x),
        "transpose": x.T,
        "anti_transpose": torch.rot90(x, 2).T,
        **{f"rotate_{90 * k}": torch.rot90(x, k) for k in (1, 2, 3)},
    }
    assert set(SYMMETRIES) == set(expected) and set(SYMMETRIES.values()) == set(EIGHT)
    for name, symmetry in SYMMETRIES.items():
        assert torch.equal(symmetry.apply(x), expected[name]), name


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(EIGHT), st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=4))
def test_the_box_goes_where_the_object_goes(symmetry: Symmetry, cells: list[tuple[int, int]]) -> None:
    mask = torch.zeros(16, 16)
    for y, x in cells:
        mask[y, x] = 1
    moved = symmetry.prompts(from_boxes(box_of_mask(mask)[None]), 16)
    assert moved.points.flatten().tolist() == box_of_mask(symmetry.apply(mask)).tolist()
    assert moved.labels.tolist() == [[TOP_LEFT, BOTTOM_RIGHT]]


@pytest.mark.parametrize("symmetry", EIGHT, ids=str)
def test_clicks_and_masks_go_where_the_picture_goes(symmetry: Symmetry) -> None:
    values, low = torch.arange(256.0).reshape(16, 16), torch.arange(32.0).reshape(2, 1, 4, 4)
    points = torch.tensor([[[3.0, 5], [2, 11], [0, 0]], [[4.0, 1], [9, 8], [1, 15]]])
    labels = torch.tensor([[FOREGROUND, BACKGROUND, PAD], [TOP_LEFT, BOTTOM_RIGHT, FOREGROUND]])
    moved = symmetry.prompts(Prompts(points, labels, low), 16)
    for row, k in ((0, 0), (0, 1), (1, 2)):
        (x, y), (u, v) = points[row, k].int(), moved.points[row, k].int()
        assert symmetry.apply(values)[v, u] == values[y, x]
    assert torch.equal(moved.labels, labels)
    assert moved.masks is not None and torch.equal(moved.masks, symmetry.apply(low))


class Equivariant(PromptableModel):
    """The picture's brightness within the box is the object: turned and flipped with the picture, exactly."""

    name, digest, weights, geometry = "equivariant", "0" * 64, None, Geometry(64, 16)
    device, width, last_layers, no_mask = torch.device("cpu"), 4, (), torch.zeros(4)

    def encode(self, images: Tensor) -> Embedding:
        same = (images @ torch.eye(images.shape[-1])).float()  # rounds under autocast
        return Embedding((torch.nn.functional.max_pool2d(same, 4),))

    def decode(self, embedding: Embedding, prompts: Prompts) -> Decoded:
        low, high = prompts.points[:, 0, :, None, None], prompts.points[:, 1, :, None, None]
        centre = torch.arange(16) * 4 + 1.5
        x, y = centre[None, None], centre[None, :, None]
        inside = (low[:, 0] <= x) & (x <= high[:, 0]) & (low[:, 1] <= y) & (y <= high[:, 1])
        logits = torch.where(inside, embedding.maps[0].amax(1), -0.5)[:, None]
        one = torch.ones(len(logits), 1)
        return Decoded(logits, one, one[:, 0], one[..., None], one, logits, ())


@pytest.fixture
def small(seen: Inputs) -> Inputs:
    """The equivariant model, asked about two objects."""
    model = Equivariant()
    prompts = from_boxes(torch.tensor([[3.0, 8, 20, 50], [30.0, 0, 63, 21]]))
    return replace(
        seen, model=model, embedding=model.encode(model.geometry.to_input(seen.image())[None]), prompts=prompts
    )


def test_an_equivariant_model_leaves_no_variance_and_the_answer_of_sam(small: Inputs) -> None:
    method = build("tta_geometric", small.model, symmetries=list(SYMMETRIES))
    members = logits_of(method, small)
    assert len(members) == 8 and (members == members[0]).all() and len(members[0].unique()) > 30
    assert_same(answer(method, small), answer(sam(), small), 1e-6)


# --- ensembles


def test_the_identity_alone_is_sam(seen: Inputs) -> None:
    alone = answer(build("tta_geometric", seen.model, symmetries=["identity"]), seen)
    assert_same(alone, answer(sam(), seen), 1e-5)


def test_no_member_of_colour_augmentation_is_the_plain_picture(seen: Inputs) -> None:
    plain = select(seen.decoded, TokenPolicy(token=0, gate=False)).logits
    for name in ("tta_train", "tta_hue"):
        assert all((member - plain).abs().max() > 0.01 for member in logits_of(few(name, seen.model), seen))


@pytest.mark.parametrize("name", NAMES)
def test_each_member_is_encoded_once_however_many_objects(name: str, seen: Inputs) -> None:
    model = Counting(seen.model.network, "counting", seen.model.digest)
    answer(few(name, model), replace(seen, model=model), objects=1)
    assert len(seen.prompts) == 2 and model.encoded == 2


class Counting(Sam2Model):
    encoded = 0

    def encode(self, images: Tensor) -> Embedding:
        self.encoded += len(images)
        return super().encode(images)


@pytest.mark.parametrize("name", ["tta_train", "tta_hue"])
def test_a_member_depends_on_its_generator_only(name: str, seen: Inputs) -> None:
    two, three = (logits_of(build(name, seen.model, members=n), seen) for n in (2, 3))
    assert same_pass(two, three[:2])
    other = replace(seen, generator=lambda member: torch_generator(1, member))
    assert not same_pass(two, logits_of(build(name, seen.model, members=2), other))


def test_members_encoded_together_are_those_encoded_alone(seen: Inputs) -> None:
    alone, together = (logits_of(build("tta_hue", seen.model, members=3, batch=b), seen) for b in (1, 2))
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-4)


def test_the_encoder_runs_in_the_precision_asked_for(small: Inputs) -> None:
    fine, coarse = (logits_of(build("tta_hue", small.model, members=2, dtype=d), small) for d in DTYPES)
    assert torch.allclose(coarse, fine, rtol=2**-7, atol=1e-4) and not same_pass(coarse, fine)


def test_predicted_quality_is_the_mean_over_members(seen: Inputs) -> None:
    parts = [answer(build("tta_geometric", seen.model, symmetries=[n]), seen) for n in ("horizontal", "vertical")]
    both = answer(few("tta_geometric", seen.model), seen)
    torch.testing.assert_close(both.iou, (parts[0].iou + parts[1].iou) / 2)
    torch.testing.assert_close(both.object_logit, (parts[0].object_logit + parts[1].object_logit) / 2)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("tta_train", {"members": 0}),
        ("tta_train", {"greyscale": 1.5}),
        ("tta_train", {"jitter": {"brightnes": 0.1}}),
        ("tta_train", {"second_jitter": {"contrast": -0.1}}),
        ("tta_hue", {"hue": 0.6}),
        ("tta_hue", {"batch": 0}),
        ("tta_geometric", {"symmetries": []}),
        ("tta_geometric", {"symmetries": ["diagonal"]}),
        ("tta_geometric", {"members": 10}),
    ],
)
def test_wrong_parameters_are_refused(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        load_method(name).Params(**wrong)
