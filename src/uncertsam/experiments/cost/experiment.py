"""What a mask costs with each method. Told in the terms of `experiments.contract`."""

from collections.abc import Iterator, Mapping
from typing import Any

from uncertsam.experiments.bench import Bench
from uncertsam.experiments.contract import Experiment, Frames, Section
from uncertsam.experiments.cost.table import COST, ENCODER
from uncertsam.figures.style import method_style
from uncertsam.statistics.schema import Tables
from uncertsam.statistics.table import unrefined


def run(bench: Bench) -> Frames:
    from uncertsam.experiments.cost.timing import timed

    return {COST.name: timed(bench)}


def metrics(tables: Tables) -> Mapping[str, Any]:
    return {"ms": dict(tables[COST.name].set_index("method")["ms"])}


def problems(tables: Tables) -> Iterator[str]:
    """What cannot be: a method without a row, a time of 0 or less, a median outside of its range."""
    frame = tables[COST.name]
    for name in sorted({ENCODER, *unrefined(tables["results.parquet"])["method"]} - {*frame["method"]}):
        yield f"cost.csv: {name} has no row"
    rows: Iterator[Any] = frame.itertuples()
    for row in rows:
        if not 0 < row.ms_low <= row.ms <= row.ms_high:
            yield f"cost.csv: {row.method} takes {row.ms} ms, between {row.ms_low} and {row.ms_high}"
        if row.method != ENCODER and not (row.ratio > 0 and row.peak_mb > 0 and row.state_mb >= 0):
            yield f"cost.csv: {row.method} has a ratio or a size that cannot be"


def contents(tables: Tables) -> dict[str, Any]:
    """What a mask costs, the cheapest first; the encoder apart, for all methods share it."""
    frame = tables[COST.name]
    encoder, first = frame[frame["method"] == ENCODER].iloc[0], frame.iloc[0]
    rows: Iterator[Any] = frame[frame["method"] != ENCODER].sort_values("ms", kind="stable").itertuples()
    return {
        "encoder": f"{encoder['ms']:.3g}",
        "how": f"{first['masks']} masks in {first['images']} images, {first['repeats']} repeats, "
        f"{first['device']}, {first['threads']} thread{'s' if first['threads'] != 1 else ''}",
        "rows": [(method_style(row.method), _spent(row)) for row in rows],
    }


def _spent(row: Any) -> dict[str, str]:
    spread = f"{row.ms_low:.3g}–{row.ms_high:.3g}"
    sizes = {"peak": f"{row.peak_mb:.3g}", "state": f"{row.state_mb:.3g}" if row.state_mb else "–"}
    return {"ms": f"{row.ms:.3g}", "spread": spread, "ratio": f"{row.ratio:.3g}", **sizes}


EXPERIMENT = Experiment(
    "cost", "time", "time", [COST], run, problems=problems, metrics=metrics, section=Section("Cost", contents)
)
