"""Shards: the same results whoever does them; the dead are replaced, the finished kept, errors stay what they are."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import shards
import spoiling
import yaml
from spoiling import contents
from staging import ROOT, draw, stage
from staging import command as staged

from uncertsam.base.errors import UserError
from uncertsam.compute import Engine, map_shards, opened
from uncertsam.compute import _pool as scheduling

PHOTOS = 14
TWO = Engine(backend="processes", workers=2, threads=1)


def left(pids: list[int]) -> list[int]:
    """Those of the processes that still live; a zombie does not."""
    return [
        pid for pid in pids if Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    ]


@contextmanager
def patient(condition, seconds: float = 60.0) -> Iterator[None]:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calls").mkdir()
    return tmp_path / "calls"


@pytest.mark.parametrize("workers", [1, 3])
def test_processes_return_what_one_after_the_other_returns_in_the_order_of_the_shards(workers):
    expected = [shards.square(shard) for shard in range(6)]
    assert map_shards(shards.square, range(6)) == expected
    assert map_shards(shards.square, range(6), Engine(backend="processes", workers=workers, threads=1)) == expected


@pytest.mark.parametrize("work", [shards.exits_once, shards.is_killed_once])
def test_a_shard_whose_worker_dies_once_is_done_again(folder, work):
    assert map_shards(partial(work, folder), range(5), TWO) == [0, 10, 20, 30, 40]
    assert shards.times(folder) == [0, 1, 2, 2, 3, 4]


def test_a_shard_whose_worker_always_dies_is_named_after_a_bounded_number_of_tries(folder):
    with pytest.raises(UserError, match=r"worker of shard 1 died 3 times; .*exit code 3.*engine\.workers"):
        map_shards(partial(shards.always_exits, folder), range(4), TWO)
    assert shards.times(folder) == [1] * (scheduling.RETRIES + 1)


@pytest.mark.parametrize("settings", [None, TWO])
def test_a_user_error_comes_out_as_it_is_and_it_is_that_of_the_first_bad_shard(settings):
    with pytest.raises(UserError) as caught:
        map_shards(shards.refuses, [5, 0, 2, 1], Engine(backend="processes", workers=1))
    assert caught.value.problem == "Shard 5 is bad."
    with pytest.raises(UserError) as caught:
        map_shards(shards.refuses, [1, 2, 5, 5], settings)
    assert (caught.value.problem, caught.value.mend) == ("Shard 2 is bad.", "Mend it.")


def test_another_error_keeps_its_type_and_the_workers_traceback():
    with pytest.raises(ZeroDivisionError) as caught:
        map_shards(shards.divides, [1, 0], TWO)
    assert "return 1 / shard" in caught.value.__notes__[0]


def test_an_error_that_cannot_be_sent_is_told_as_text():
    with pytest.raises(RuntimeError, match=r"shards\.Awkward: awkward"):
        map_shards(shards.raises_awkwardly, [1], TWO)


@pytest.mark.parametrize("settings", [None, TWO])
def test_finished_shards_are_not_done_again(folder, tmp_path, settings):
    call = partial(map_shards, partial(shards.fails_at_three, folder), range(6), settings, finished=tmp_path / "kept")
    with pytest.raises(UserError, match="Shard 3 is bad"):
        call()
    assert {0, 1, 2, 3} <= set(shards.times(folder))
    (tmp_path / "mended").touch()
    assert call() == [0, 10, 20, 30, 40, 50]
    assert shards.times(folder) == [0, 1, 2, 3, 3, 4, 5]
    assert call() == [0, 10, 20, 30, 40, 50] and len(shards.times(folder)) == 7


def test_a_broken_file_of_a_finished_shard_counts_as_none(folder, tmp_path):
    call = partial(map_shards, partial(shards.noted, folder), range(3), finished=tmp_path / "kept")
    assert call() == [0, 10, 20]
    broken = sorted((tmp_path / "kept").iterdir())[1]
    broken.write_bytes(broken.read_bytes()[:3])
    assert call() == [0, 10, 20] and shards.times(folder) == [0, 1, 1, 2]


def test_where_finished_shards_cannot_be_kept_the_results_come_all_the_same(tmp_path):
    (tmp_path / "kept").write_text("no folder")
    assert map_shards(shards.square, range(2), finished=tmp_path / "kept") == [0, 1 / 7]


def test_a_pool_serves_many_calls_with_the_same_workers_and_ends_them(folder):
    with opened(TWO) as pool:
        assert [pool.map(shards.square, range(3)) for _ in range(2)] == [[0, 1 / 7, 4 / 7]] * 2
        workers = [worker.process.pid for worker in pool.backend._idle]
        assert 1 <= len(workers) <= 2 and left(workers) == workers
    assert left(workers) == []


def test_every_worker_has_so_many_threads():
    assert map_shards(shards.threads, [0], Engine(backend="processes", threads=2)) == [(2, "2")]


@pytest.mark.parametrize("backend", ["processes"])
def test_ctrl_c_leaves_no_worker_and_says_so_in_one_line(folder, backend):
    command = [sys.executable, str(Path(shards.__file__)), str(folder), backend]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with patient(lambda: len(list(folder.iterdir())) == 2):
        workers = [int(path.name) for path in folder.iterdir()]
        for worker in workers:
            os.kill(worker, signal.SIGINT)
        time.sleep(0.5)
        assert left(workers) == workers  # not theirs to hear: their owner ends them
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to all of them
    told = run.communicate(timeout=30)[1].strip().splitlines()
    assert run.returncode == 130 and told[-1].startswith("interrupted: nothing was half-written")
    assert not any("Traceback" in line for line in told)
    assert left(workers) == []


def test_workers_whose_owner_is_killed_end_as_well(folder):
    command = [sys.executable, str(Path(shards.__file__)), str(folder), "processes", "4"]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    with patient(lambda: len(list(folder.iterdir())) == 2):
        workers = [int(path.name) for path in folder.iterdir()]
        run.kill()
        run.wait()
    with patient(lambda: left(workers) == []):
        pass


def test_without_ray_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"ray is not installed.*pip install 'uncertsam\[ray\]'"):
        map_shards(shards.square, [1], Engine(backend="ray"))


def settings(**engine: object) -> str:
    values = spoiling.settings() | {"engine": engine, "subset": {}}
    values["methods"]["constant"] = {"token": 0, "gate": False}
    values["data"]["cats"]["split"] = {"fit": 0.3, "test": 0.7}
    return yaml.safe_dump(values, sort_keys=False)


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, one of them unusable, five to fit on and eight to report, that went through the stages one by one."""
    root = tmp_path_factory.mktemp("run")
    draw(root / "photos", [f"cat{i}" for i in range(PHOTOS)])
    (root / "photos" / "images" / "cat4.png").write_bytes(b"no image")
    shutil.copytree(ROOT / "checkpoints", root / "checkpoints")
    (root / "params.yaml").write_text(settings(backend="serial"))
    for part in ("laplace", "variance", "combination"):
        (root / "data" / "fitted" / "sam2_nano" / part).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name in ("acquire", "preprocess", "encode", "fit_laplace", "predict"):
            stage(name)
    return root


SPREAD = {  # stage -> what it writes, and of how many shards
    "preprocess": ("data/benchmark/cats", PHOTOS),
    "encode": ("data/embeddings/sam2_nano/cats", 1 + 1),
    "fit_laplace": ("data/fitted/sam2_nano/laplace", 3),
    "predict": ("data/predictions/sam2_nano/cats", 2 * 2),
}


def smaller(patch: pytest.MonkeyPatch) -> None:
    """Shards that even eight images are several of."""
    patch.setattr("uncertsam.inference.predictions.IMAGES", 4)
    patch.setattr("uncertsam.methods.posterior.spec.IMAGES", 2)


def check_stage(name: str, predicted: Path, place: Path, patch: pytest.MonkeyPatch, backend: str) -> None:
    """The stage, run with two workers in a copy of `predicted`, writes the same bytes."""
    folder, count = SPREAD[name]
    shutil.copytree(predicted, place, dirs_exist_ok=True)
    shutil.rmtree(place / folder)
    (place / "params.yaml").write_text(settings(backend=backend, workers=2, threads=1))
    patch.chdir(place)
    smaller(patch)
    started, start = [], scheduling.question
    patch.setattr(scheduling, "question", lambda *given: started.append(start(*given)) or started[-1])
    stage(name)
    assert len(started) == count  # it was indeed spread
    assert max(map(len, started)) < 20_000  # no worker is sent a model
    assert contents(place / folder) == contents(predicted / folder)
    assert not list(Path(".resume").rglob("*.pickle"))


@pytest.mark.parametrize("name", SPREAD)
def test_a_stage_with_processes_writes_the_bytes_that_it_writes_without(predicted, tmp_path, monkeypatch, name):
    check_stage(name, predicted, tmp_path, monkeypatch, "processes")


def test_what_the_guide_says_of_the_engine_is_valid():
    guide = (ROOT / "docs" / "scale.md").read_text()
    blocks = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\nengine: (.*?)```", guide, re.S)[0].split("engine: ")
    ]
    assert [Engine.model_validate(block).backend for block in blocks] == ["serial", "processes", "ray"]
    job = yaml.safe_load(re.findall(r"```yaml\napiVersion.*?```", guide, re.S)[0].strip("`").removeprefix("yaml"))
    head, workers = job["spec"]["rayClusterSpec"]["headGroupSpec"], job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert workers[0]["template"] == head["template"]
    command = re.findall(r"torchrun --nproc-per-node 8 (stages.*?)\ndvc", guide, re.S)[0].replace("\\", "").split()
    meaning = {"train_variance.dataset": "SA-1B-sample", "item.model": "sam2_large"}
    assert command == staged("train_variance", **meaning)


def test_no_stage_is_run_again_for_another_engine():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    keys = [key for stage in stages for key in stage.get("do", stage).get("params", [])]
    watched = {key.split(".")[0] for key in keys if isinstance(key, str)}
    assert "methods" in watched and "engine" not in watched


def test_predict_goes_on_where_it_was_broken_off(predicted, tmp_path, monkeypatch):
    from uncertsam.inference import predictions

    shutil.copytree(predicted, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "data/predictions/sam2_nano/cats")
    monkeypatch.chdir(tmp_path)
    smaller(monkeypatch)
    asked, answer, broken = [], predictions.answer, [True]

    def failing(*given, **named):
        asked.append(given)
        if len(asked) == 6 and broken.pop():
            raise KeyboardInterrupt
        return answer(*given, **named)

    monkeypatch.setattr(predictions, "answer", failing)
    with pytest.raises(SystemExit, match="130"):
        stage("predict")
    left_behind = Path(".resume/predict/sam2_nano/cats/sam/of other settings")
    left_behind.mkdir()
    (left_behind / "0000000-of-0000003.pickle").touch()
    stage("predict")
    assert len(asked) == 2 * 8 + 2  # only what had been begun of the second shard is answered twice
    place = "data/predictions/sam2_nano/cats"
    assert contents(tmp_path / place) == contents(predicted / place)
    assert not list(Path(".resume").rglob("*.pickle"))


def test_a_changed_knob_asks_its_method_alone(predicted, tmp_path, monkeypatch, capsys):
    """Though the stage depends on the parameters of all methods."""
    shutil.copytree(predicted, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    spoiling.param("methods.constant", "gate", True)()
    stage("predict")
    assert "1 methods answered on cats, kept 1" in capsys.readouterr().out


@pytest.mark.parametrize("settings", [None, TWO])
def test_a_stream_gives_what_a_map_gives_and_what_comes_before_a_bad_shard(settings):
    with opened(settings) as pool:
        assert list(pool.stream(shards.square, range(6))) == pool.map(shards.square, range(6))
        given = []
        with pytest.raises(UserError, match="Shard 2 is bad"):
            for one in pool.stream(shards.refuses, [1, 3, 2, 5, 5]):
                given.append(one)
        assert given == [1, 3]


def test_a_stream_is_read_while_it_is_made(folder):
    """Without workers, nothing is done before it is asked for; so no two results are in memory."""
    with opened() as pool:
        stream = pool.stream(partial(shards.noted, folder), range(4))
        assert next(stream) == 0 and shards.times(folder) == [0]
        assert list(stream) == [10, 20, 30]
