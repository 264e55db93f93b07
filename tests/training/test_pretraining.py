"""Pre-training is a function of its settings: resumable, ordered by nothing, and its losses mean what they say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from uncertsam.training.geometry import inscribed_ellipses, random_boxes

from uncertsam.training.interaction import clicks, first_prompt, noisy_box
from uncertsam.training.losses import dice_loss, focal_loss, iou_of_logits, mask_loss
from uncertsam.training.materials import Materials, Photo, draw_textures
from uncertsam.training.pretrain import SceneBatches
from uncertsam.training.resume import ResumeState
from uncertsam.training.run_pretrain import Phase, pretrain
from uncertsam.training.scenes import compose
from uncertsam.training.schedule import learning_rate_factor


@pytest.fixture(scope="module")
def materials() -> Materials:
    rng = np.random.default_rng(0)
    labels = np.zeros((90, 120), np.int32)
    labels[20:60, 30:80], labels[50:85, 70:110] = 1, 2
    return Materials([Photo(rng.integers(0, 256, (90, 120, 3), np.uint8), labels)], draw_textures(0, 3, 64))


def test_a_perfect_answer_costs_nothing_and_a_wrong_one_much():
    target = torch.zeros(1, 16, 16)
    target[:, 4:12, 4:12] = 1
    right = (target * 2 - 1) * 30
    for loss in (mask_loss(right, target), focal_loss(right, target), dice_loss(right.sigmoid(), target)):
        assert float(loss) < 1e-6
    assert float(mask_loss(-right, target)) > 10
    assert float(iou_of_logits(right, target)) == 1 and float(iou_of_logits(-right, target)) == 0


def test_focal_loss_without_focus_is_balanced_cross_entropy():
    logits, target = torch.randn(3, 8, 8), torch.randint(0, 2, (3, 8, 8)).float()
    half = focal_loss(logits, target, alpha=0.5, gamma=0.0)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((1, 2))
    torch.testing.assert_close(half, plain / 2)


def test_the_schedule_rises_stays_and_falls():
    factors = [learning_rate_factor(step, 100, 10, 40, 0.01) for step in range(101)]
    assert factors[0] == 0.1 and factors[9] == factors[60] == 1 and factors[80] == 0.5 and factors[100] == 0.01
    assert min(factors) == 0.01 and max(factors) == 1


def test_an_ellipse_touches_its_box_from_within():
    boxes = random_boxes(20, 256, torch.Generator().manual_seed(0))
    for box, mask in zip(boxes, inscribed_ellipses(boxes, 256, 256), strict=True):
        rows, columns = torch.nonzero(mask.any(1)).flatten(), torch.nonzero(mask.any(0)).flatten()
        found = torch.stack([columns[0], rows[0], columns[-1], rows[-1]])
        assert (found - box).abs().max() <= 1.5


def test_a_scene_has_objects_of_some_size_and_depends_on_its_generator_alone(materials):
    for seed in range(12):
        scene, again = (compose(np.random.default_rng(seed), materials, 64, 3) for _ in range(2))
        assert 1 <= len(scene.masks) <= 3 and (scene.masks.sum((1, 2)) >= 60).all()
        assert (scene.image == again.image).all() and (scene.masks == again.masks).all()


def test_batches_do_not_depend_on_the_order_in_which_they_are_drawn(materials):
    batches = SceneBatches(materials, 0, 64, 2, 5)
    forwards, backwards = [batches[i] for i in range(3)], [batches[i] for i in (2, 1, 0)][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        torch.testing.assert_close(one.images, other.images)
        torch.testing.assert_close(one.points, other.points)


def test_prompts_point_at_the_object():
    mask = np.zeros((64, 64), bool)
    mask[10:30, 20:50] = True
    rng = np.random.default_rng(0)
    for _ in range(30):
        points, labels = clicks(rng, mask, 4)
        assert labels[0] == 1
        assert all(mask[int(y), int(x)] == on for (x, y), on in zip(points, labels, strict=True))
        low, high = noisy_box(rng, mask)
        assert np.abs(low - [20, 10]).max() <= 1.25 + 1e-6 and np.abs(high - [49, 29]).max() <= 1.25 + 1e-6
    assert {tuple(sorted(set(first_prompt(rng, mask)[1].tolist()))) for _ in range(60)} >= {(-1, 2, 3), (-1, 1)}


def test_a_stopped_and_resumed_training_ends_at_the_same_weights(tmp_path: Path):
    materials = Materials([], draw_textures(0, 3, 256))
    geometry, scenes = Phase(2, 2, 1e-3, 0.01, 0.4, 1), Phase(3, 2, 1e-3, 0.01, 0.4, 1)
    torch.set_num_threads(1)

    def run(folder: Path, stop_at: int | None) -> dict[str, torch.Tensor]:
        def log(step: int, values: dict[str, float]) -> None:
            if step == stop_at and "scenes/loss" in values:
                raise KeyboardInterrupt

        resume = ResumeState(folder, "nano", {})
        return pretrain(geometry, scenes, materials, 0, resume, 1, log).network.state_dict()

    whole = run(tmp_path / "whole", None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", 1)
    resumed = run(tmp_path / "cut", None)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name
