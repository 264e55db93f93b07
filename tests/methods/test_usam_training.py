"""Heads that are trained side by side become what each would become alone, by either recipe, stopped or not."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from usam_worlds import random_observed

from uncertsam.base.errors import UserError
from uncertsam.base.rng import torch_generator
from uncertsam.config.usam import TrainUsam
from uncertsam.methods.usam.heads import Heads, head_names
from uncertsam.methods.usam.protocols import Judged
from uncertsam.methods.usam.tokens import TokenStore, write_tokens
from uncertsam.methods.usam.training import (
    RANGES,
    Batches,
    HeadsTask,
    Samples,
    better,
    held_out_errors,
    train_heads,
    trial_params,
)

SIZES = ("pico", "nano")
CPU = torch.device("cpu")
NAMES = ("iou_nano", "model_gap", "task_gap")
PARAMS = TrainUsam(datasets=["reef"], epochs=3, batch=16, learning_rate=0.05, momentum=0.5, held_out=0.25)


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Two samples of each of 40 images."""
    return drawn(40)


def drawn(images: int) -> Samples:
    """Targets that the latents tell; two samples of each image."""
    latents = torch.randn(2 * images, 12, generator=torch.Generator().manual_seed(0))
    targets = torch.stack([latents[:, 0], latents[:, 1] + latents[:, 2], latents[:, 3].abs()], 1).sigmoid()
    return Samples(latents, targets, np.repeat([f"image {i}" for i in range(images)], 2).astype(object))


def run(samples: Samples, folder: Path, params: TrainUsam = PARAMS, names=NAMES, log=lambda step, values: None):
    return train_heads(samples, names, params, 0, CPU, folder, log)


def same(one: Heads, other: Heads) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_a_head_ends_where_plain_torch_ends(samples, tmp_path):
    """The paper's recipe: SGD with momentum and weight decay on all weights, squared error, constant rate."""
    heads, _ = run(samples, tmp_path)
    fit, _ = samples.divided(PARAMS.held_out)
    start = Heads(NAMES, 12).draw(0).state_dict()
    for at in range(len(NAMES)):
        layers = [nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 1)]
        for i, layer in enumerate(layers):
            layer.load_state_dict({"weight": start[f"weight{i}"][at].T, "bias": start[f"bias{i}"][at, 0]})
        alone = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2], nn.Sigmoid())
        optimiser = torch.optim.SGD(alone.parameters(), lr=0.05, momentum=0.5, weight_decay=PARAMS.weight_decay)
        batches = Batches(fit, PARAMS.batch, 0, CPU)
        for epoch in range(PARAMS.epochs):
            order = torch.randperm(len(batches), generator=torch_generator(0, "order", epoch)).tolist()
            for batch in (batches.get(index, epoch) for index in order):
                optimiser.zero_grad()
                nn.functional.mse_loss(alone(batch.latents)[:, 0], batch.targets[:, at]).backward()
                optimiser.step()
        for i, layer in enumerate(layers):
            torch.testing.assert_close(heads.state_dict()[f"weight{i}"][at].T, layer.weight.data, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(heads.state_dict()[f"bias{i}"][at, 0], layer.bias.data, rtol=1e-4, atol=1e-6)


def test_an_epoch_holds_every_sample_once_in_an_order_of_its_own(samples):
    batches = Batches(samples, 30, 0, CPU)
    epochs = [torch.cat([batches.get(i, epoch).latents for i in range(len(batches))]) for epoch in (0, 1)]
    assert not torch.equal(*epochs)
    for found in epochs:
        assert torch.equal(found[:, 0].sort().values, samples.latents[:, 0].sort().values)


def test_the_other_recipe_decays_weights_alone_and_ends_at_a_rate_of_0():
    task = HeadsTask(NAMES, 12, PARAMS.model_copy(update={"optimiser": "adamw"}), 0, CPU)
    weights, biases = task.parameter_groups()
    assert (weights.weight_decay, biases.weight_decay) == (PARAMS.weight_decay, 0)
    assert len(weights.parameters) == len(biases.parameters) == 3
    assert [weights.schedule(step, 11) for step in (0, 5, 10)] == pytest.approx([1, 0.5, 0])
    assert isinstance(task.optimiser([{"params": weights.parameters, "lr": 0.1}]), torch.optim.AdamW)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_heads_learn_what_the_latents_tell(tmp_path, optimiser):
    samples = drawn(300)
    rate = {"sgd": 0.5, "adamw": 0.01}[optimiser]
    params = PARAMS.model_copy(update={"optimiser": optimiser, "learning_rate": rate, "epochs": 20, "momentum": 0.9})
    _, rows = run(samples, tmp_path, params)
    _, held_out = samples.divided(PARAMS.held_out)
    assert (rows["held_out_mse"].to_numpy() < 0.7 * held_out.targets.var(0).numpy()).all()


def test_near_duplicates_are_never_divided_and_nothing_is_lost(samples):
    fit, held_out = samples.divided(0.25)
    assert not set(fit.clusters) & set(held_out.clusters)
    assert len(fit) + len(held_out) == 80 and 0.05 < len(held_out) / 80 < 0.5


def test_too_few_images_to_hold_some_out_are_an_error(samples):
    two, one = (Samples(samples.latents[:n], samples.targets[:n], samples.clusters[:n]) for n in (4, 2))
    assert [len(part) for part in two.divided(0.01)] == [len(part) for part in two.divided(0.99)] == [2, 2]
    with pytest.raises(UserError, match=r"1 different images are too few .*Give train_usam\.datasets more images"):
        one.divided(0.2)


def test_samples_are_what_the_protocol_says_of_every_object_and_model(tmp_path):
    models = [SimpleNamespace(name=f"sam2_{size}", digest=size) for size in SIZES]
    parts = [random_observed(10, seed=0), random_observed(6, seed=1)]
    facts = {"clusters": {image: f"scene {image // 2}" for image in range(5)}}
    for at, part in enumerate(parts):
        write_tokens(tmp_path / str(at), [part], models, "float32", facts)
    found = Samples.read([TokenStore(tmp_path / str(at), models) for at in (0, 1)], "deployable", 1)
    assert len(found) == 2 * 16 and found.clusters[:9].tolist() == ["scene 0"] * 8 + ["scene 1"]
    judged = Judged(parts[1], "deployable")
    assert torch.equal(found.latents[20:], judged.latents(1).flatten(0, 1))
    assert torch.equal(found.targets[20:], judged.targets().flatten(0, 1))
    assert found.targets.shape[1] == len(head_names(SIZES, "deployable"))


class Stopped(BaseException):
    pass


def test_stopped_in_a_search_and_run_again_it_ends_at_the_same_heads(samples, tmp_path):
    params = PARAMS.model_copy(update={"trials": 1, "save_every": 2})
    seen = []

    def stop(step, values):
        seen.append(step)
        if "fit_loss" in values and len(seen) > 25:
            raise Stopped

    with pytest.raises(Stopped):
        run(samples, tmp_path / "a", params, log=stop)
    assert any((tmp_path / "a").iterdir())
    (again, rows), (whole, expected) = run(samples, tmp_path / "a", params), run(samples, tmp_path / "b", params)
    assert same(again, whole) and not any((tmp_path / "a").iterdir())
    pd.testing.assert_frame_equal(rows, expected)


def test_a_search_gives_each_head_its_best_trial(samples, tmp_path):
    heads, rows = run(samples, tmp_path, PARAMS.model_copy(update={"trials": 2}))
    assert rows["trial"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and rows["head"].tolist() == [*NAMES] * 3
    errors = held_out_errors(heads, samples.divided(PARAMS.held_out)[1], CPU)
    np.testing.assert_allclose(errors, rows.groupby("head")["held_out_mse"].min()[list(NAMES)], rtol=1e-5)


def test_trials_are_within_the_papers_ranges_and_follow_from_their_number():
    drawn = list(trial_params(PARAMS.model_copy(update={"trials": 40}), 0))
    assert drawn[0].learning_rate == PARAMS.learning_rate and len(drawn) == 41
    for name, (low, high) in RANGES.items():
        values = [getattr(one, name) for one in drawn[1:]]
        assert low <= min(values) < low + 0.2 * (high - low) and high - 0.2 * (high - low) < max(values) <= high
    assert list(trial_params(PARAMS.model_copy(update={"trials": 2}), 0))[1:] == [
        one.model_copy(update={"trials": 2}) for one in drawn[1:3]
    ]


def test_heads_of_two_trials_are_mixed_head_by_head():
    one, other = Heads(NAMES, 12).draw(1), Heads(NAMES, 12).draw(2)
    errors, mixed = better((torch.tensor([0.1, 0.5, 0.2]), one), (torch.tensor([0.3, 0.4, 0.3]), other))
    assert errors.tolist() == pytest.approx([0.1, 0.4, 0.2])
    latents = torch.randn(4, 12, generator=torch.Generator().manual_seed(0))
    for name, source in zip(NAMES, (one, other, one), strict=True):
        assert torch.equal(mixed.read(latents)[name], source.read(latents)[name])
