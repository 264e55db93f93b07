"""Heads side by side say what each of them says alone; published ones give the published values."""

import os
from pathlib import Path

import pytest
import torch
from small_models import random_nano
from torch import nn

from uncertsam.base.errors import UserError
from uncertsam.methods.usam.heads import Heads, head_names, latents_of, load, save
from uncertsam.methods.usam.published import SIZES, load_published

NAMES = head_names(("pico", "nano"), "deployable")
PUBLISHED = head_names(SIZES, "paper")
PROBES = {"zeros": torch.zeros(512), "linspace": torch.linspace(-1, 1, 512), "ones": torch.ones(512)}
GOLDEN = {  # of the heads for SAM 2.1, before 1/2 is subtracted from gains
    "iou_tiny": (0.523745, 0.527738, 0.486713),
    "iou_small": (0.522896, 0.527119, 0.486612),
    "iou_base_plus": (0.504063, 0.508626, 0.482394),
    "iou_large": (0.506143, 0.508753, 0.489872),
    "iou_dense_prompt": (0.527629, 0.550490, 0.514268),
    "iou_unsupervised": (0.508451, 0.470481, 0.415755),
    "model_gap": (0.506831, 0.507598, 0.512221),
    "prompt_gap": (0.516911, 0.524869, 0.523685),
    "task_gap": (0.526900, 0.552281, 0.510043),
}


class Published(nn.Module):
    """A head as the authors write it: three linear layers in a list."""

    def __init__(self, width: int = 512) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second, last = self.layers
        return last(second(first(x).relu()).relu()).sigmoid()[..., 0]


@pytest.fixture(scope="module")
def authors() -> dict[str, Published]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return {name: Published().requires_grad_(False) for name in PUBLISHED}


@pytest.fixture
def folder(tmp_path: Path, authors: dict[str, Published]) -> Path:
    for name, head in authors.items():
        (tmp_path / name).mkdir()
        torch.save(head.state_dict(), tmp_path / name / "model.pth")
    return tmp_path


def test_there_are_five_heads_more_than_models():
    assert len(PUBLISHED) == 9 and tuple(GOLDEN) == PUBLISHED
    assert len(NAMES) == 7 and "iou_best_mask" in NAMES and "iou_unsupervised" not in NAMES


def test_published_heads_read_what_each_of_them_says_alone_and_gains_lie_around_0(folder, authors):
    latents = torch.randn(7, 512, generator=torch.Generator().manual_seed(0))
    heads = load_published(folder, 256)
    assert heads.offset == 0
    for name, found in heads.read(latents).items():
        expected = authors[name](latents) - (0.5 if name.endswith("gap") else 0)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_the_training_scripts_name_of_a_folder_is_known_too(folder):
    before = load_published(folder, 256).state_dict()
    (folder / "iou_unsupervised").rename(folder / "unsupervised_iou")
    assert all(torch.equal(value, before[name]) for name, value in load_published(folder, 256).state_dict().items())


@pytest.mark.parametrize("probe", PROBES)
def test_the_published_weights_give_the_published_values(probe):
    place = os.environ.get("UNCERTSAM_USAM_HEADS")
    if not place:
        pytest.skip("there are no published heads: set UNCERTSAM_USAM_HEADS to the authors' models/mlps/sam2.1")
    found = load_published(Path(place), 256).read(PROBES[probe][None])
    for name, values in GOLDEN.items():
        shift = 0.5 if name.endswith("gap") else 0
        assert found[name].item() + shift == pytest.approx(values[list(PROBES).index(probe)], abs=2e-6)


class Evil:
    def __reduce__(self):
        return print, ("executed",)


SPOILT = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "empty": lambda path: path.write_bytes(b""),
    "a pickled class": lambda path: torch.save(Evil(), path),
    "a list": lambda path: torch.save([torch.zeros(3)], path),
    "a layer is missing": lambda path: torch.save(dict(list(torch.load(path).items())[:4]), path),
    "another width": lambda path: torch.save(Published(256).state_dict(), path),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_broken_head_is_named_in_one_line_and_nothing_is_executed(folder, how, capsys):
    SPOILT[how](folder / "model_gap" / "model.pth")
    with pytest.raises(UserError, match=r"model_gap.model\.pth (cannot be read as a head|is no head of 512)") as found:
        load_published(folder, 256)
    assert "\n" not in str(found.value) and "executed" not in capsys.readouterr().out


def test_a_missing_head_and_an_offset_or_a_width_that_does_not_fit_are_named(folder):
    with pytest.raises(UserError, match=r"trained with offset 0, not 1\. Set usam\.offset: 0"):
        load_published(folder, 256, 1)
    with pytest.raises(UserError, match=r"read tokens of 256 channels, the model's have 128\. Use sam2\.1_tiny"):
        load_published(folder, 128)
    (folder / "task_gap" / "model.pth").unlink()
    with pytest.raises(UserError, match=r"task_gap.model\.pth is missing\. Give the folder"):
        load_published(folder, 256)


def test_gains_keep_their_digits_under_autocast():
    """bfloat16 would leave some ten distinct values."""
    latents = torch.randn(300, 64, generator=torch.Generator().manual_seed(0))
    heads = Heads(NAMES, 64).draw(0)
    with torch.autocast("cpu", torch.bfloat16):
        found = heads.read(latents)
    assert found["model_gap"].dtype == torch.float32 and len(found["model_gap"].unique()) > 250
    torch.testing.assert_close(found, heads.read(latents))


def test_a_heads_first_weights_do_not_depend_on_the_others():
    latents = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    few, many = Heads(NAMES[-2:], 64).draw(1), Heads(NAMES, 64).draw(1)
    for name, found in few.read(latents).items():
        torch.testing.assert_close(found, many.read(latents)[name])


def test_a_mask_is_paired_with_its_own_token_or_as_published():
    iou, tokens = torch.zeros(2, 3), torch.arange(4.0)[None, :, None].expand(2, 4, 3)
    mask = torch.tensor([0, 2])
    assert latents_of(iou, tokens, mask, 1)[:, 3:].tolist() == [[1.0] * 3, [3.0] * 3]
    assert latents_of(iou, tokens, mask, 0)[:, 3:].tolist() == [[0.0] * 3, [2.0] * 3]


def test_trained_heads_come_back_as_they_were_saved(tmp_path):
    model, heads = random_nano(), Heads(NAMES, 256, 0).draw(0)
    save(tmp_path / "usam", heads, model, "deployable", {"params": {}})
    found = load(tmp_path / "usam", model)
    assert (found.names, found.offset) == (NAMES, 0)
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in heads.state_dict().items())
