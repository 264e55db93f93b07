"""The benchmark's smallest run: its rows, and that a naive way which gives something else stops it."""

import json
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from benchmarks import naive_metrics
from benchmarks.__main__ import main
from benchmarks.agreement import demand_equal
from benchmarks.curves import COLUMNS, points
from benchmarks.part import ENCODER, NAMES, PLAIN, REFERENCE
from benchmarks.roofline import demand
from benchmarks.setting import Setting, set_up
from benchmarks.table import table
from benchmarks.timing import Spread, laps, timed, with_peak

from uncertsam.base.errors import UserError
from uncertsam.metrics.masks import METRICS

SMALLEST: dict[str, Any] = {"model": "sam2_nano", "repeats": 1, "objects": 1, "size": 64}
ASKED_FOR = {
    "part", "size", "device", "threads", "repeats", "ours_s", "naive_s", "ratio_to_naive", "ratio_to_plain",
    "ratio_to_encoder", "peak_mb",
}  # fmt: skip
WITHOUT_NAIVE = {"variance", "pipeline"}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("benchmarks") / "reports" / "benchmarks.json"
    main(out=out, **SMALLEST)
    found: list[dict[str, Any]] = json.loads(out.read_text())
    return found


@pytest.fixture(scope="module")
def setting() -> Setting:
    return set_up("sam2_nano", 64, 2, torch.device("cpu"), seed=0)


def test_every_part_is_there_with_every_field(rows: list[dict[str, Any]]) -> None:
    assert list(dict.fromkeys(row["part"] for row in rows)) == list(NAMES)
    for row in rows:
        assert row.keys() >= ASKED_FOR and row.keys() == rows[0].keys()
        assert (row["device"], row["threads"], row["repeats"]) == ("cpu", 1, 1)
        assert row["model"] == "sam2_nano, random weights"
        assert 0 < row["ours_low"] <= row["ours_s"] <= row["ours_high"] and row["peak_mb"] > 0


def test_only_parts_that_have_no_textbook_lack_a_naive_way(rows: list[dict[str, Any]]) -> None:
    assert {row["part"] for row in rows if row["naive_s"]} == set(NAMES) - WITHOUT_NAIVE
    assert all((row["naive_s"] is None) == (row["ratio_to_naive"] is None) for row in rows)


def test_ratios_are_the_quotients_of_the_medians(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        for other in ("naive", "plain", "encoder"):
            if row[f"{other}_s"]:
                assert math.isclose(row[f"ratio_to_{other}"], row["ours_s"] / row[f"{other}_s"])
        beside = {PLAIN: row["ratio_to_plain"], ENCODER: row["ratio_to_encoder"]}
        if row["reach_of"] in beside:
            assert row["reached_at"] == beside[row["reach_of"]]
        if row["reach"]:
            assert row["reached"] == (row["reached_at"] <= row["reach"])


def test_every_target_is_in_the_table(rows: list[dict[str, Any]]) -> None:
    assert {row["part"]: row["reach"] for row in rows if row["reach"]} == {
        "laplace_fit": 1.05, "laplace_closed": 1.1, "laplace_1000": 4.0, "prompt_10": 10.0, "variance": 2.0,
        "all_but_tta": 4.0, "tta_10": 11.0,
    }  # fmt: skip
    assert next(row["reach_of"] for row in rows if row["reach"]) == REFERENCE
    missed = rows[0] | {"reach": 0.05, "reach_of": "seconds", "reached_at": 0.06, "reached": False}
    assert "MISSED: 60 ms" in table([missed]) and "random" not in table([missed])


def test_a_naive_way_that_disagrees_stops_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    honest = naive_metrics.metrics

    def other(*arguments: Any) -> dict[tuple[str, str], float]:
        return dict(honest(*arguments)) | {("brier", "roi"): 0.5}

    monkeypatch.setattr(naive_metrics, "metrics", other)
    with pytest.raises(UserError, match="metrics: the naive way disagrees with ours on brier roi"):
        main(out=tmp_path / "benchmarks.json", **SMALLEST)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("ours", "naive", "equal"),
    [
        ({"a": 1.0, "b": 2.0}, {"a": 1.0 + 5e-5}, True),
        ({"a": 1.0}, {"a": 1.0 + 2e-4}, False),
        ({"a": 1000.0}, {"a": 1000.05}, True),
        ({"a": math.nan}, {"a": math.nan}, True),
        ({"a": math.nan}, {"a": 0.0}, False),
        ({"a": 1.0}, {"b": 1.0}, False),
        (torch.zeros(3), np.zeros(3), True),
        (torch.zeros(3), np.zeros((3, 1)), False),
    ],
)
def test_what_counts_as_equal(ours: Any, naive: Any, equal: bool) -> None:
    if equal:
        demand_equal("part", ours, naive, 1e-4)
    else:
        with pytest.raises(UserError, match="disagrees"):
            demand_equal("part", ours, naive, 1e-4)


def test_the_naive_metrics_tell_every_metric_of_both_regions(rows: list[dict[str, Any]]) -> None:
    from benchmarks.setting import mask_and_maps

    side, maps = mask_and_maps(64, seed=0)
    assert set(naive_metrics.metrics(side, *maps)) == {(name, region) for name in METRICS for region in ("full", "roi")}


def test_jobs_take_turns_and_none_is_always_the_first() -> None:
    order: list[str] = []
    times = laps({name: lambda name=name: order.append(name) for name in "abc"}, 3, torch.device("cpu"))
    assert "".join(order) == "abcbcacab" and set(times) == set("abc")
    assert Spread.of([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(3.0, 2.0, 4.0)


def test_processor_seconds_leave_out_waiting() -> None:
    waiting = partial(time.sleep, 0.2)
    assert timed(waiting, torch.device("cpu"), "cpu") < 0.1 < timed(waiting, torch.device("cpu"), "wall")


def test_memory_counts_tensors_and_arrays() -> None:
    found, peak = with_peak(lambda: (torch.zeros(10**6), np.zeros(10**6)))
    assert len(found) == 2 and 12 <= peak < 13


def test_operations_and_bytes_of_a_product() -> None:
    one = torch.ones(100, 100)
    need = demand("product", lambda: one @ one, torch.device("cpu"), 1)
    assert need.operations == pytest.approx(2e-3) and need.bytes == pytest.approx(12e-5)


def test_curves_vary_one_thing_each(setting: Setting) -> None:
    found = pd.DataFrame([point[:3] for point in points(setting, 1, "wall")], columns=COLUMNS[:3])
    assert set(found["over"]) == {"objects", "size", "members", "images", "workers"}
    assert (found.groupby(["part", "over"])["value"].nunique() > 2).all()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("threads", 0),
        ("repeats", 0),
        ("objects", -1),
        ("size", 8),
        ("model", "sam3"),
        ("device", "abacus"),
        ("clock", "sundial"),
        ("out", Path()),
    ],
)
def test_a_bad_flag_is_one_sentence_that_names_it(flag: str, value: Any, tmp_path: Path) -> None:
    values = SMALLEST | {"out": tmp_path / "benchmarks.json"} | {flag: value}
    with pytest.raises(UserError, match=f"--{flag}"):
        main(**values)
