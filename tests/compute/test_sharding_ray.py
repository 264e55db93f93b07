"""The engine on Ray: clusters of several nodes on this machine, one of which dies midway. Skipped where Ray is not."""

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import shards
from test_sharding import check_stage, folder, predicted  # noqa: F401

from uncertsam.base.errors import UserError
from uncertsam.compute import Engine, map_shards, opened
from uncertsam.compute import _pool as scheduling

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'uncertsam[ray]'")
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]  # Ray's own warnings are not ours
RAY = Engine(backend="ray", workers=4)
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(Path(shards.__file__).parent), os.environ.get("PYTHONPATH", "")]),
    "RAY_USAGE_STATS_ENABLED": "0",  # else Ray tells its makers of every run
    "RAY_health_check_period_ms": "500",  # a dead node is noticed within seconds
    "RAY_health_check_failure_threshold": "3",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without cores, which does nothing itself, and two nodes of two cores."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        made.nodes_for_tests = [made.add_node(num_cpus=2) for _ in range(2)]
        ray.init(address=made.address, log_to_driver=False)
        yield made
        ray.shutdown()
        made.shutdown()


def test_ray_returns_what_one_after_the_other_returns_in_the_order_of_the_shards(cluster):
    assert map_shards(shards.square, range(8), RAY) == [shards.square(shard) for shard in range(8)]
    assert ray.is_initialized()  # a cluster that the caller is connected to stays


def test_a_shard_whose_worker_dies_once_is_done_again(cluster, folder):  # noqa: F811
    assert map_shards(partial(shards.is_killed_once, folder), range(5), RAY) == [0, 10, 20, 30, 40]
    assert shards.times(folder) == [0, 1, 2, 2, 3, 4]


def test_a_shard_whose_worker_always_dies_is_named_after_a_bounded_number_of_tries(cluster, folder):  # noqa: F811
    with pytest.raises(UserError, match=r"worker of shard 1 died 3 times; .*WorkerCrashedError"):
        map_shards(partial(shards.always_exits, folder), range(4), RAY)
    assert shards.times(folder) == [1] * (scheduling.RETRIES + 1)


def test_a_user_error_comes_out_as_it_is(cluster):
    with pytest.raises(UserError) as caught:
        map_shards(shards.refuses, [1, 2, 5, 5], RAY)
    assert (caught.value.problem, caught.value.mend) == ("Shard 2 is bad.", "Mend it.")


def test_whatever_is_left_of_a_broken_off_call_is_cancelled(cluster, folder):  # noqa: F811
    with pytest.raises(KeyboardInterrupt), opened(RAY) as pool:
        pool.backend.wait = lambda: interrupt(folder)
        pool.map(partial(shards.sleeps, folder, 60.0), range(4))
    end = time.monotonic() + 30
    while ray.available_resources().get("CPU", 0) < ray.cluster_resources()["CPU"]:
        assert time.monotonic() < end, "shards are still at work"
        time.sleep(0.2)


def interrupt(folder: Path) -> None:  # noqa: F811
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.1)
    raise KeyboardInterrupt


def test_a_stage_with_ray_writes_the_bytes_that_it_writes_without(cluster, predicted, tmp_path, monkeypatch):  # noqa: F811
    check_stage("predict", predicted, tmp_path, monkeypatch, "ray")


def test_a_node_without_the_working_folder_is_told_of(cluster, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.setattr(os, "getcwd", lambda: str(tmp_path / "here"))
    with pytest.raises(UserError, match="Ray says .*FileNotFoundError.*here"):
        map_shards(shards.square, [1], RAY)


def has_begun(node: Any, folder: Path) -> bool:  # noqa: F811
    """Wait until the node is in the middle of a shard."""
    pid, end = node.all_processes["raylet"][0].process.pid, time.monotonic() + 60
    while not list(folder.glob(f"*.{pid}")):
        assert time.monotonic() < end, "the node does nothing"
        time.sleep(0.05)
    return True


def test_a_node_that_dies_midway_changes_nothing(cluster, folder):  # noqa: F811
    """Last in this file: the cluster has lost a node then."""
    with opened(RAY) as pool:
        wait, doomed = pool.backend.wait, [cluster.nodes_for_tests[0]]

        def waiting():
            while doomed and has_begun(doomed[0], folder):
                cluster.remove_node(doomed.pop(), allow_graceful=False)
            return wait()

        pool.backend.wait = waiting
        assert pool.map(partial(shards.slowly, folder), range(12)) == [10 * shard for shard in range(12)]
    assert not doomed and ray.cluster_resources()["CPU"] == 2
    assert set(shards.times(folder)) == set(range(12))
    assert len(shards.times(folder)) > 12  # what the dead node had was done again
