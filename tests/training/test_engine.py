"""Training a part: the same as plain torch, resumed as if never stopped, and never spoilt by a bad loss."""

import math
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from uncertsam.base.errors import UserError
from uncertsam.base.rng import torch_generator
from uncertsam.config.training import TrainParams
from uncertsam.models.promptable import Embedding
from uncertsam.models.prompts import Prompts
from uncertsam.training.engine import Trained, one_device, train
from uncertsam.training.examples import Example
from uncertsam.training.resume import ResumeState
from uncertsam.training.schedule import cosine
from uncertsam.training.task import Mode, ParameterGroup, Step, Task, decayed_groups, paper_groups

PARAMS = TrainParams(epochs=2, learning_rate=0.01, warmup=0, cooldown=0, save_every=2, precision="32-true")


def example(image_id: int, x: Tensor) -> Example:
    """A row of numbers as an image; what is learnt is their sum."""
    prompts, masks = (
        Prompts(torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.int)),
        torch.zeros(1, 2, 2, dtype=torch.bool),
    )
    maps = x[None, :, None, None]
    embedding = Embedding((maps,))
    return Example("numbers", image_id, embedding, prompts, masks, partial(torch_generator, 0), lambda: None)


class Rows:
    """Nine rows that differ by epoch; `spoilt` is not a number."""

    def __init__(self, count: int = 9, spoilt: int | None = None) -> None:
        self.count, self.spoilt = count, spoilt

    def __len__(self) -> int:
        return self.count

    def get(self, index: int, epoch: int) -> Example:
        x = torch.randn(4, generator=torch_generator(0, index, epoch))
        return example(index, x * (math.nan if index == self.spoilt else 1))


def fresh() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Linear(4, 1)


def squared_error(module: nn.Linear, row: Example) -> Tensor:
    x = row.embedding.maps[0].flatten()
    return (module(x) - x.sum()).square().sum()


class Sum(Task):
    """Learns the sum of a row."""

    def __init__(self, params: TrainParams = PARAMS) -> None:
        self.module, self.params = fresh(), params

    def parameter_groups(self) -> list[ParameterGroup]:
        return paper_groups(self.module, self.params)

    def loss(self, example: Example, step: Step, mode: Mode) -> tuple[Tensor, dict[str, float]]:
        return squared_error(self.module, example), {}


def run(
    folder: Path,
    params: TrainParams = PARAMS,
    rows: Rows | None = None,
    log=lambda step, values: None,
    task: Task | None = None,
) -> Trained:
    rows, devices = Rows() if rows is None else rows, one_device(torch.device("cpu"), params.precision)
    return train(task or Sum(params), rows, Rows(3), params, 0, ResumeState(folder, "t", []), log, devices)


def test_one_process_ends_where_plain_torch_does(tmp_path):
    module = fresh()
    decayed, plain = [module.weight], [module.bias]
    groups = [{"params": decayed, "weight_decay": PARAMS.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, PARAMS.learning_rate)
    for epoch in range(2):
        for index in torch.randperm(9, generator=torch_generator(0, "order", epoch)).tolist():
            row = Rows().get(index, epoch)
            optimiser.zero_grad()
            squared_error(module, row).backward()
            nn.utils.clip_grad_norm_(module.parameters(), PARAMS.clip)
            optimiser.step()
    trained = run(tmp_path)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(trained.last[name], value, rtol=0, atol=0)


def test_biases_and_norms_are_not_decayed():
    module = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    decay = {id(p): g.weight_decay for g in decayed_groups(module, 1e-3, 0.5, cosine) for p in g.parameters}
    assert [decay[id(p)] for p in module.parameters()] == [0.5, 0, 0, 0]


def test_the_best_weights_are_those_of_the_least_held_out_loss(tmp_path):
    trained = run(tmp_path, PARAMS.model_copy(update={"learning_rate": 1.0}))
    losses = [row[3] for row in trained.curve if not math.isnan(row[3])]
    assert trained.best_loss == min(losses) < losses[0]


def test_each_group_learns_at_its_own_rate_and_schedule(tmp_path):
    class Grouped(Sum):
        def parameter_groups(self) -> list[ParameterGroup]:
            still = ParameterGroup([self.module.weight], 0.01, 0.5, lambda step, steps: 0.0)
            return [ParameterGroup([self.module.bias], 0.01, 0.0, cosine), still]

    found = run(tmp_path, task=Grouped())
    rates = [row[1] for row in found.curve if not math.isnan(row[1])]
    assert rates[0] == 0.01 and rates[-1] == pytest.approx(0.001) and rates == sorted(rates, reverse=True)
    assert torch.equal(found.last["weight"], fresh().weight) and not torch.equal(found.last["bias"], fresh().bias)


def test_a_step_samples_what_is_random_and_held_out_images_see_its_mean(tmp_path):
    class Noted(Sum):
        def loss(self, example: Example, step: Step, mode: Mode) -> tuple[Tensor, dict[str, float]]:
            assert (mode == "sample") == torch.is_grad_enabled()
            return super().loss(example, step, mode)[0], {"part": float(step.number)}

    logged = {}
    run(tmp_path, log=lambda step, values: logged.update({step: values} if "fit_loss" in values else {}), task=Noted())
    assert [values["part"] for values in logged.values()] == [*range(18)]


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("step", [0, 5, 8])
def test_stopped_at_any_step_and_run_again_it_ends_at_the_same_weights(tmp_path, step):
    """To the bit: the same operations on the same processor, in memory that torch aligns always alike."""

    def stop(at, values):
        if at == step and "fit_loss" in values:
            raise Stopped

    with pytest.raises(Stopped):
        run(tmp_path / "a", log=stop)
    again, whole = run(tmp_path / "a"), run(tmp_path / "b")
    for name in whole.last:
        assert torch.equal(again.last[name], whole.last[name]) and torch.equal(again.best[name], whole.best[name])
    assert [row[0] for row in again.curve] == [row[0] for row in whole.curve]


SLOW = """
import sys, time, torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_engine import run
def log(step, values):
    print(step, flush=True)
    time.sleep(float(sys.argv[3]))
torch.save(run(Path(sys.argv[2]), log=log).last, Path(sys.argv[2]) / "last.pt")
"""


def test_killed_outright_and_run_again_it_ends_at_the_same_weights(tmp_path):
    def start(pause: str) -> subprocess.Popen:
        arguments = [sys.executable, "-c", SLOW, str(Path(__file__).parent), str(tmp_path), pause]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ)

    first = start("0.2")
    while first.stdout.readline().strip() != "7":
        assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert list(tmp_path.glob("*.pt")) and not (tmp_path / "last.pt").exists()
    second = start("0")
    steps = second.communicate()[0].split()
    assert second.returncode == 0 and int(steps[0]) > 0
    whole, found = run(tmp_path / "whole").last, torch.load(tmp_path / "last.pt", weights_only=True)
    assert all(torch.equal(found[name], whole[name]) for name in whole)


def test_a_loss_that_is_no_number_names_the_image_and_keeps_the_last_good_weights(tmp_path):
    with pytest.raises(UserError, match="image 4 of numbers"):
        run(tmp_path, rows=Rows(spoilt=4))
    state = ResumeState(tmp_path, "t", []).load()
    assert state is not None
    assert all(torch.isfinite(value).all() for value in state["module"].values())


def test_no_images_are_an_error(tmp_path):
    with pytest.raises(UserError, match="no images"):
        run(tmp_path, rows=Rows(0))


TWO = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_engine import PARAMS, run
trained = run(Path(sys.argv[2]))
if torch.distributed.get_rank() == 0:
    torch.save(trained.last, Path(sys.argv[2]) / "last.pt")
torch.distributed.destroy_process_group()
"""


def test_two_processes_end_where_one_does_that_accumulates_two_images(tmp_path):
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    (tmp_path / "two").mkdir()
    arguments = [sys.executable, "-c", TWO, str(Path(__file__).parent), str(tmp_path / "two")]
    processes = [
        subprocess.Popen(arguments, env=os.environ | shared | {"RANK": r, "LOCAL_RANK": r}, stderr=subprocess.PIPE)
        for r in ("0", "1")
    ]
    begun = time.monotonic()
    said = [process.communicate(timeout=60)[1].decode()[-1500:] for process in processes]
    assert [p.returncode for p in processes] == [0, 0], said
    assert time.monotonic() - begun < 60
    one = run(tmp_path / "one", PARAMS.model_copy(update={"accumulate": 2})).last
    two = torch.load(tmp_path / "two" / "last.pt", weights_only=True)
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-5, atol=1e-6)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
