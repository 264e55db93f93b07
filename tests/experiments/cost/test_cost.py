"""What a method costs: memory that is counted right, times in their order, and a table that its check accepts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch

from uncertsam.experiments.contract import schemas, tables_of
from uncertsam.experiments.cost.experiment import EXPERIMENT
from uncertsam.experiments.cost.table import COLUMNS, COST, ENCODER
from uncertsam.experiments.cost.timing import PeakMemory, Timed, clock, size_of
from uncertsam.inference.algebra import Inputs, Plain, Samples
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY, Measure
from uncertsam.models.select import TokenPolicy
from uncertsam.statistics.schema import Tables

MEGA = 250_000  # float32 numbers in 10^6 bytes


@dataclass(frozen=True)
class Hungry:
    """The plain answer, after `waste` of work that a plain decode does not do."""

    waste: Callable[[], object]
    plain: Plain
    measure: Measure = PREDICTIVE_ENTROPY

    def __call__(self, inputs: Inputs) -> Samples:
        self.waste()
        return self.plain(inputs)


def plain() -> Plain:
    return Plain(TokenPolicy(token=0, gate=False), PREDICTIVE_ENTROPY)


def test_peak_memory_is_that_of_the_tensors_alive_at_one_time() -> None:
    with PeakMemory() as counter:
        one = torch.zeros(MEGA)
        two = one + 1  # 2 MB alive
        view = two.view(5, -1)[1:]  # shares its memory
        del one, two, view
        for _ in range(10):
            torch.zeros(MEGA)  # gone at once
    assert counter.peak == 2_000_000 and counter.now == 0


def test_memory_made_before_is_not_counted() -> None:
    held = torch.zeros(MEGA)
    with PeakMemory() as counter:
        held.add_(1)
        held.sum()
    assert counter.peak <= 1_000_000 + 4


def test_a_method_that_does_more_takes_longer_and_holds_more(inputs: Inputs, tmp_path: Path) -> None:
    big = torch.ones(1200, 1200)
    hungry = Hungry(lambda: [big @ big for _ in range(8)], plain())
    frame = clock({"sam": Timed(plain()), "laplace": Timed(hungry, 3_000_000)}, [inputs], 3, torch.float32)
    assert list(frame.columns) == COLUMNS and list(frame["method"]) == [ENCODER, "sam", "laplace"]
    rows = frame.set_index("method")
    assert rows.loc["sam", "ratio"] == 1 and rows.loc["laplace", "ms"] > rows.loc["sam", "ms"]
    assert rows.loc["laplace", "peak_mb"] > rows.loc["sam", "peak_mb"] + 8 * 1200 * 1200 * 4 / 1e6 - 10
    assert rows.loc["laplace", "state_mb"] == 3 and set(frame["masks"]) == {len(inputs.prompts)}
    COST.write(tmp_path / "cost.csv", frame)
    assert wrong(tmp_path) == ""


def test_the_memory_counted_is_the_same_on_every_run(inputs: Inputs) -> None:
    peaks = {clock({"sam": Timed(plain())}, [inputs], 1, torch.float32)["peak_mb"][1] for _ in range(3)}
    assert len(peaks) == 1


@pytest.mark.parametrize("nested", [False, True])
def test_the_state_is_the_bytes_of_a_file_or_of_all_in_a_folder(tmp_path, nested) -> None:
    place = tmp_path / "a" if nested else tmp_path
    place.mkdir(exist_ok=True)
    (place / "weights").write_bytes(b"x" * 100)
    (place / "meta").write_bytes(b"x" * 11)
    assert size_of(tmp_path) == 111 and size_of(place / "weights") == 100 and size_of(None) == 0


def wrong(reports: Path) -> str:
    results = pd.DataFrame({"method": ["sam", "laplace"]})
    return "\n".join(EXPERIMENT.contradictions(Tables(reports, schemas(), {"results.parquet": results})))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f[f["method"] != "laplace"], "cost.csv: laplace has no row"),
        (lambda f: f.assign(ms=-1.0), "cost.csv: sam takes -1 ms"),
        (lambda f: f.assign(peak_mb=0.0), "a ratio or a size that cannot be"),
    ],
)
def test_a_cost_that_cannot_be_is_found(tmp_path, change, says) -> None:
    COST.write(tmp_path / "cost.csv", change(costs("encoder", "sam", "laplace")))
    assert says in wrong(tmp_path)


def test_the_page_has_the_cheapest_first_and_the_encoder_apart(tmp_path) -> None:
    frame = costs("encoder", "laplace", "sam").assign(ms=[9.0, 2.5, 2.0])
    COST.write(tmp_path / "cost.csv", frame)
    told = EXPERIMENT.section.contents(tables_of(tmp_path))
    assert told["encoder"] == "9" and [style.label for style, _ in told["rows"]] == ["SAM 2", "Laplace"]
    assert told["rows"][1][1] == {"ms": "2.5", "spread": "1–3", "ratio": "1.25", "peak": "5", "state": "–"}


def costs(*methods: str) -> pd.DataFrame:
    row = {"unit": "mask", "ms": 2.0, "ms_low": 1.0, "ms_high": 3.0, "ratio": 1.25, "peak_mb": 5.0, "state_mb": 0.0}
    row |= {"masks": 4, "images": 2, "repeats": 3, "device": "cpu", "threads": 1}
    return pd.DataFrame([row | {"method": name} for name in methods])[COLUMNS]
