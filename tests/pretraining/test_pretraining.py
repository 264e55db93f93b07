"""Pre-training is a function of its settings: resumable, ordered by nothing, and its losses mean what they say."""

import numpy as np
import pytest
import torch

from uncertsam.base.errors import UserError
from uncertsam.models.prompts import Prompts
from uncertsam.pretraining._interaction import clicks, correct, first_prompt, noisy_box
from uncertsam.pretraining._scenes import compose
from uncertsam.pretraining._steps import SceneBatches
from uncertsam.pretraining.curve import Curve
from uncertsam.pretraining.materials import LabelledPhoto, Materials, any_photo, draw_textures
from uncertsam.pretraining.run import Keep, Leg, State, pretrain
from uncertsam.pretraining.snapshot import read_snapshot, write_snapshot
from uncertsam.training.losses import dice_loss, focal_loss, iou_of_logits, mask_loss
from uncertsam.training.resume import ResumeState
from uncertsam.training.schedule import learning_rate_factor


@pytest.fixture(scope="module")
def materials() -> Materials:
    rng = np.random.default_rng(0)
    labels = np.zeros((90, 120), np.int32)
    labels[20:60, 30:80], labels[50:85, 70:110] = 1, 2
    return Materials([LabelledPhoto(rng.integers(0, 256, (90, 120, 3), np.uint8), labels)], draw_textures(0, 3, 64))


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


def test_photos_are_drawn_by_their_weights(materials):
    heavy = Materials([materials.photos[0]] * 3, [], [1.0, 0.0, 3.0])
    drawn = [id(any_photo(np.random.default_rng(k), heavy)) for k in range(20)]
    assert len(set(drawn)) == 1  # the photos are one object; which of them is drawn shows in the shares
    assert heavy.shares.tolist() == [0.25, 0.25, 1.0]


def test_a_correction_adds_a_click_in_the_error_of_the_right_kind():
    target = torch.zeros(1, 16, 16)
    target[:, 4:12, 4:12] = 1
    logits = -torch.ones(1, 16, 16)
    logits[:, 4:12, 4:6] = 1
    start = Prompts(torch.zeros(1, 4, 2), torch.full((1, 4), -1))
    for seed in range(8):
        found = correct(start, logits, target, np.random.default_rng(seed), 64, feed_back=True)
        x, y = ((found.points[0, 0] + 0.5) / 4 - 0.5).round().int().tolist()
        assert found.labels[0].tolist() == [1, -1, -1, -1] and 6 <= x < 12 and 4 <= y < 12
        assert torch.equal(found.masks[:, 0], logits)


LEGS = [Leg(2, 64, 2, 1e-3, 0.01, 0.0, 0.5, 1.0, 1), Leg(2, 96, 2, 1e-3, 0.01, 1.0, 1.0, 1.0, 1)]


def trained(materials: Materials, state: State | None, keep: Keep, stop_at: int | None = None) -> dict:
    def log(step: int, values: dict[str, float]) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    torch.set_num_threads(1)
    return pretrain(LEGS, {}, materials, 0, state, keep, 1, log).state_dict()


@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_stopped_and_resumed_training_ends_at_the_same_weights(tmp_path, materials, stop_at):
    whole = trained(materials, None, lambda state: None)
    resume = ResumeState(tmp_path, "nano", {})
    with pytest.raises(KeyboardInterrupt):
        trained(materials, None, resume.save, stop_at)
    resumed = trained(materials, resume.load(), resume.save)
    for name, tensor in whole.items():  # the same code on the same memory layout: the same bits
        assert torch.equal(tensor, resumed[name]), name


def test_two_trainings_from_one_snapshot_end_at_the_same_weights(tmp_path, materials):
    kept = []
    trained(materials, None, lambda state: kept.append(write_snapshot(tmp_path / str(len(kept)), state)))
    one, other = (trained(materials, read_snapshot(tmp_path / "0"), lambda state: None) for _ in range(2))
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_a_snapshot_keeps_weights_to_half_precision_and_a_broken_one_is_refused(tmp_path, materials):
    states = []
    trained(materials, None, states.append)
    write_snapshot(tmp_path / "s", states[0])
    read = read_snapshot(tmp_path / "s")
    assert (read["leg"], read["step"]) == (0, 1) and read_snapshot(tmp_path / "none") is None
    for part in ("network", "average"):
        for name, tensor in read[part].items():
            torch.testing.assert_close(tensor, states[0][part][name], rtol=1e-3, atol=1e-6)
    (tmp_path / "s" / "average.safetensors").write_bytes(b"cut off")
    with pytest.raises(UserError, match=r"average\.safetensors is another file"):
        read_snapshot(tmp_path / "s")


def test_the_curve_drops_what_a_cut_off_run_wrote_beyond_its_state(tmp_path):
    curve = Curve(tmp_path / "curve.csv", 0)
    for step in range(200):
        curve.log(step, {"loss": float(step >= 100), "iou_box": 0.5})
    assert (tmp_path / "curve.csv").read_text().splitlines()[1:] == ["100,0.0000,0.5000,,", "200,1.0000,0.5000,,"]
    Curve(tmp_path / "curve.csv", 150)
    assert (tmp_path / "curve.csv").read_text().splitlines()[1:] == ["100,0.0000,0.5000,,"]
