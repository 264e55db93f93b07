"""What the comparisons say, in words and for machines: `answers.csv` and `answers.json`."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from uncertsam.catalogue import method_facts, metric_facts
from uncertsam.statistics._significance import POWER, smallest_p
from uncertsam.statistics.comparisons import (
    ALIKE,
    BETTER,
    SAME,
    UNTESTED,
    Plan,
    absent,
    family_sizes,
    overall_rows,
)

MARKS = {BETTER: "better", "worse": "worse", ALIKE: "no difference shown", SAME: "the same"}

BEYOND, HERE = "also for datasets like these", "on these datasets; not shown beyond them"


def answers_json(frame: pd.DataFrame, plan: Plan) -> dict[str, Any]:
    """The plan, what of it is absent, the datasets, and answers: reference -> metric -> method -> over datasets."""
    nested: dict[str, Any] = {}
    for row in overall_rows(frame):
        found: dict[str, Any] = {
            name: number(getattr(row, name)) for name in ("difference", "low", "high", "detectable", "effect")
        }
        found |= {"p_holm": number(row.p_holm), "n_datasets": int(row.n_datasets), "outcome": row.outcome}
        found["sentence"] = sentence(row, plan.alpha)
        nested.setdefault(row.reference, {}).setdefault(row.metric, {})[row.method] = found
    registered = {"metrics": list(plan.metrics), "references": list(plan.references), "power": POWER}
    registered |= {"resamples": plan.resamples, "alpha": plan.alpha, "seed": plan.seed}
    told = {"datasets": tested_and_not(frame), "limits": limits_of_proof(frame, plan), "absent": absent(frame, plan)}
    return {"plan": registered, "answers": nested, **told}


def plan_of(content: Any) -> Plan:
    """The plan that a read `answers.json` was made by. Raises KeyError or TypeError where there is none."""
    told = content["plan"]
    return Plan(*(told[name] for name in ("metrics", "references", "resamples", "alpha", "seed")))


def tested_and_not(frame: pd.DataFrame) -> dict[str, Any]:
    """{"tested": [names], "left_out": {name: why}}; a dataset of which nothing was tested is left out."""
    rows = frame[frame["scope"] == "dataset"]
    left: dict[str, str] = {}
    for name, part in rows.groupby("dataset"):
        if (part["outcome"] == UNTESTED).all():
            left[str(name)] = str(part["note"].iloc[0])
    return {"tested": sorted(set(rows["dataset"]) - set(left)), "left_out": left}


def limits_of_proof(frame: pd.DataFrame, plan: Plan) -> list[str]:
    """Where the test over datasets could not reach `alpha`, whatever the data said: a sentence for each such size."""
    found: dict[tuple[int, int], str] = {}
    sizes = family_sizes(frame)
    for row in overall_rows(frame):
        tests = sizes.get((row.reference, row.metric), 0)
        least = min(1.0, smallest_p(int(row.n_datasets)) * tests)
        if tests and least > plan.alpha:
            found[int(row.n_datasets), tests] = (
                f"With {int(row.n_datasets)} datasets and {tests} methods, the signed-rank test cannot give a "
                f"corrected p below {least:.2g}: it could not have shown anything at {plan.alpha:g}."
            )
    return [found[key] for key in sorted(found)]


def sentence(row: Any, alpha: float) -> str:
    """One overall answer in words, with its numbers; a null result says what would have been seen."""
    metric, level = metric_facts(row.metric).label, f"{100 * (1 - alpha):g} %"
    against = f"{method_facts(row.method).label} against {method_facts(row.reference).label}, {metric}"
    if row.outcome == SAME:
        return f"{against}: identical, for both have the same mask and probability."
    if row.outcome == UNTESTED:
        return f"{against}: not tested."
    size = f"{signed(row.difference)} [{signed(row.low)}, {signed(row.high)}] ({level})"
    if row.outcome == ALIKE:
        return f"{against}: no difference shown, {size}; one beyond {_shown(row.detectable)} would have been seen."
    return f"{against}: {row.outcome} by {size}, {_reach(row.p_holm, alpha)}."


def _reach(p_holm: float, alpha: float) -> str:
    """How far a difference reaches: beyond these datasets only where the corrected test over datasets says so."""
    if math.isnan(p_holm):
        return "on these datasets (a baseline is no candidate, so it is not tested beyond them)"
    return f"{BEYOND if p_holm <= alpha else HERE} (corrected p {p_holm:.2g})"


def signed(value: float) -> str:
    """A difference with its sign, to two digits that count: +0.012, -0.15, -0.000021; below 1e-6 it is 0."""
    return f"{value:+.{_places(value)}f}"


def _shown(value: float) -> str:
    """A size without sign."""
    return f"{value:.{_places(value)}f}"


def _places(value: float) -> int:
    """Decimal places that show two digits, at least two and at most six."""
    return min(6, max(2, 1 - math.floor(math.log10(abs(value))))) if value and math.isfinite(value) else 2


def number(value: float) -> float | None:
    """A number as JSON has it: NaN is None, and digits that no processor agrees on are cut."""
    return None if math.isnan(value) else float(f"{value:.8g}")


def answer_metrics(frame: pd.DataFrame) -> Mapping[str, Any]:
    """The overall differences for tracking: {"answers": {reference: {metric: {method: difference}}}}."""
    nested: dict[str, Any] = {}
    for row in overall_rows(frame):
        nested.setdefault(row.reference, {}).setdefault(row.metric, {})[row.method] = float(row.difference)
    return {"answers": nested}


def difference_cell(row: Any, alpha: float) -> dict[str, Any]:
    """A difference, its interval, the outcome, and whether it is shown beyond these datasets."""
    word = MARKS.get(row.outcome, "not tested")
    if row.outcome == ALIKE:
        word += f"; beyond {_shown(row.detectable)} it would be"
    known = not math.isnan(row.low) and row.outcome != SAME
    return {
        "difference": signed(row.difference) if known else "",
        "interval": f"{signed(row.low)} to {signed(row.high)}" if known else "",
        "word": word,
        "better": row.outcome == BETTER,
        "beyond": row.outcome in (BETTER, "worse") and row.p_holm <= alpha,
    }
