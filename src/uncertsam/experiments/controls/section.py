"""What the page says of the controls: sentences and tables made from `controls.csv`, null results included."""

from typing import Any

import pandas as pd

from uncertsam.catalogue import MetricFacts, dataset_label, in_order, metric_facts, spoken
from uncertsam.config.sections import POOLED
from uncertsam.experiments.controls.design import FACTORS, LA, PRIMARY, REFERENCE, REGION, SAM, TOTAL
from uncertsam.experiments.controls.table import CONTROLS
from uncertsam.figures.style import FACTORS as STYLES
from uncertsam.statistics.schema import Tables

TABLED = (*PRIMARY, "nll")
ORDER = ("n5", "n10", "n100", "n1000", "closed", "bernoulli", "softmax_pixels", "prior_1", "prior_marglik")
NAMES = {  # of the one-at-a-time controls, without "laplace_"
    "closed": "Closed form (reference)",
    "bernoulli": "Likelihood: a coin per pixel",
    "softmax_pixels": "Likelihood: softmax over pixels",
    "prior_marglik": "Prior by marginal likelihood",
    "prior_validation": "Prior by validation",
    "temperature_validation": "Temperature by validation",
}


def contents(tables: Tables) -> dict[str, Any]:
    """What the template shows of `controls.csv`."""
    frame = tables[CONTROLS.name]
    pooled = frame[(frame["dataset"] == POOLED) & (frame["region"] == REGION)]
    totals = pooled[(pooled["kind"] == "shapley") & (pooled["method"] == TOTAL)]
    return {
        "masks": int(totals["n_masks"].max()),
        "images": int(totals["n_images"].max()),
        "readings": [reading(pooled, metric) for metric in PRIMARY],
        "factors": [STYLES[name] for name in FACTORS],
        "shares": [(metric_facts(metric), _shares(frame, metric)) for metric in PRIMARY],
        "metrics": [metric_facts(metric) for metric in TABLED],
        "single": _single(pooled),
    }


def reading(pooled: pd.DataFrame, metric: str) -> str:
    """One metric in a sentence or two: the whole difference, what of it is Bayes, and what most of it is."""
    value = pooled[(pooled["kind"] == "shapley") & (pooled["metric"] == metric)].set_index("method")
    sam, laplace = value.loc[[SAM, LA], "value"]
    style, largest = metric_facts(metric), str(value.loc[list(FACTORS), "value"].abs().idxmax())
    text = f"{style.label}: {sam:.4f} for SAM, {laplace:.4f} for Laplace, {_amount(value.loc[TOTAL], style)}. "
    text += f"Bayes explains {_amount(value.loc['bayes'], style)}"
    if value.loc[list(FACTORS), "value"].abs().max() == 0:
        return f"{text}; no change has any effect."
    if largest == "bayes":
        return f"{text}, the largest part."
    return f"{text}; the largest part is {_plain(largest)}, {_amount(value.loc[largest], style)}."


def _amount(row: Any, style: MetricFacts) -> str:
    """A difference with its interval, and whether it is shown and for the better."""
    if pd.isna(row["low"]):
        return f"{_signed(row['value'])} (too few images for an interval)"
    return f"{_signed(row['value'])} ({_signed(row['low'])} to {_signed(row['high'])}: {_outcome(row, style)})"


def _outcome(row: Any, style: MetricFacts) -> str:
    if row["low"] <= 0 <= row["high"]:
        return "the interval includes zero, no effect shown"
    return "better" if (row["value"] > 0) == (style.better == "higher") else "worse"


def _plain(factor: str) -> str:
    return "Bayes" if factor == "bayes" else f"the {factor}"


def _shares(frame: pd.DataFrame, metric: str) -> list[tuple[str, list[dict[str, str]]]]:
    """A row per dataset, pooled first: the whole difference and its four parts."""
    mine = frame[(frame["kind"] == "shapley") & (frame["metric"] == metric) & (frame["region"] == REGION)]
    cells = {(row.dataset, row.method): _cell(row) for row in mine.itertuples()}
    names = in_order(mine["dataset"], [POOLED])
    made = mine.groupby("dataset")["synthetic"].any()
    parts = (TOTAL, *FACTORS)
    return [(dataset_label(name, bool(made[name])), [cells[name, part] for part in parts]) for name in names]


def _single(pooled: pd.DataFrame) -> list[tuple[str, str, list[dict[str, str]]]]:
    """A row per one-at-a-time control: its name, how it is set, and each metric with its difference's interval."""
    means = {(r.method, r.metric): r for r in pooled[pooled["kind"] == "mean"].itertuples()}
    gaps = {(r.method, r.metric): r for r in pooled[pooled["kind"] == "difference"].itertuples()}
    names = in_order([*(str(method) for method, _ in gaps), REFERENCE], [f"laplace_{name}" for name in ORDER])
    return [
        (_name(name), _setting(pooled, name), [_beside(means[name, m], gaps.get((name, m))) for m in TABLED])
        for name in names
    ]  # fmt: skip


def _name(control: str) -> str:
    short = str(control).removeprefix("laplace_")
    if short in NAMES:
        return NAMES[short]
    if short[0] == "n" and short[1:].isdigit():
        return f"{short[1:]} samples"
    return spoken(short)


def _setting(pooled: pd.DataFrame, control: str) -> str:
    found = pooled[(pooled["kind"] == "setting") & (pooled["method"] == control)].set_index("metric")["value"]
    return f"prior precision {found['prior_precision']:.3g}, temperature {found['temperature']:.3g}"


def _signed(value: float) -> str:
    """Four places, and no sign where they are all 0."""
    text = f"{value:+.4f}"
    return "0.0000" if float(text) == 0 else text


def _cell(row: Any) -> dict[str, str]:
    interval = "–" if pd.isna(row.low) else f"{_signed(row.low)} to {_signed(row.high)}"
    return {"mean": _signed(row.value) if pd.notna(row.value) else "–", "interval": interval}


def _beside(mean: Any, gap: Any) -> dict[str, str]:
    if gap is None:
        return {"mean": f"{mean.value:.4f}", "interval": ""}
    cell = _cell(gap)
    same = gap.low == gap.high == 0
    return {"mean": f"{mean.value:.4f}", "interval": "the same" if same else f"{cell['mean']}: {cell['interval']}"}
