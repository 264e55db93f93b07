"""`reproduction.html` and `.json`: what of the paper reproduces here, what does not, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_json
from uncertsam.catalogue import DATASETS, dataset_label
from uncertsam.config.sections import Compare
from uncertsam.data.format import read_split, splits_of
from uncertsam.report._claims import NO, UNTOLD, YES, JudgedClaim, answered, claims, confounds, judge
from uncertsam.report._evidence import Evidence
from uncertsam.report._page import render
from uncertsam.report._published import MODEL, Known
from uncertsam.report._table_one import RULE, Row, table_one
from uncertsam.statistics.answers import number
from uncertsam.statistics.intervals import facts_of
from uncertsam.statistics.table import PER_MASK, RESULTS, by_every_measure

VERDICTS = (YES, NO, UNTOLD)


@dataclass(frozen=True)
class Sources:
    """Where a run's tables are; controls may be left out. benchmark: <dataset>/<split>/..."""

    results: Path
    benchmark: Path
    datasets: Sequence[str]
    split: str
    controls: Path | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def gather(sources: Sources, knobs: Compare, seed: int) -> Evidence:
    """The evidence of a run. Raises UserError where a table or a split is missing."""
    tables = {"results": by_every_measure(RESULTS.read(sources.results))}
    tables |= {"controls": PER_MASK.read(sources.controls)} if sources.controls else {}
    splits = {name: read_split(sources.benchmark / name / sources.split) for name in sources.datasets}
    known = {
        name: Known(name, str(split.info.get("adapter", "")), bool(split.info.get("synthetic", False)))
        for name, split in splits.items()
    }
    return Evidence(
        tables=tables,
        facts={name: facts_of(split) for name, split in splits.items()},
        known=known,
        model=str((sources.params.get("base") or {}).get("model", "")),
        resamples=knobs.resamples,
        alpha=knobs.alpha,
        margin=knobs.margin,
        seed=seed,
        sizes={name: _size(sources.benchmark / name) for name in sources.datasets},
    )


def _size(folder: Path) -> tuple[int, int]:
    """Images and masks of a dataset, over all its splits."""
    splits = [read_split(folder / name) for name in splits_of(folder)]
    return sum(map(len, splits)), sum(len(a) for split in splits for a in split.annotations.values())


@dataclass(frozen=True)
class Judged:
    """The evidence and all that follows from it, computed once for both files."""

    evidence: Evidence
    findings: list[JudgedClaim]
    rows: list[Row]

    @classmethod
    def of(cls, evidence: Evidence) -> "Judged":
        return cls(evidence, [judge(claim, evidence) for claim in claims().values()], table_one(evidence))

    @property
    def counts(self) -> dict[str, int]:
        """How many claims have each verdict, all three always there."""
        found = Counter(finding.verdict for finding in self.findings)
        return {verdict: found[verdict] for verdict in VERDICTS}


def reproduction_json(judged: Judged) -> dict[str, Any]:
    """counts; claims: {key: where, claim, rule, bound, verdict, reason, sets, numbers}; table_1: a list of rows."""
    rows = [
        {"row": row.source, "method": row.method, "metric": row.metric, "verdict": row.verdict, "reason": row.reason,
         "cells": {c.dataset: {"paper": c.paper, "agrees": c.agrees, "ours": _numbers(c.ours)} for c in row.cells}}
        for row in judged.rows
    ]  # fmt: skip
    told = {finding.claim.key: finding.as_json() for finding in judged.findings}
    return {"counts": judged.counts, "claims": told, "table_1": rows, "model": judged.evidence.model}


def _numbers(estimate: Any) -> dict[str, float | None] | None:
    return {name: number(value) for name, value in asdict(estimate).items()} if estimate else None


def check_reproduction(content: Any) -> list[str]:
    """What is wrong with a read `reproduction.json`: claims that are unknown or missing, verdicts that are none."""
    try:
        told, rows = content["claims"], content["table_1"]
        verdicts = [claim["verdict"] for claim in told.values()]
        others = [row["verdict"] for row in rows]
        counted = content["counts"]
    except (KeyError, TypeError, AttributeError) as error:
        return [f"reproduction.json lacks {error}"]
    wrong = [f"reproduction.json: there is no claim {key!r}" for key in sorted(set(told) - set(claims()))]
    wrong += [f"reproduction.json: the claim {key!r} is missing" for key in sorted(set(claims()) - set(told))]
    wrong += [f"reproduction.json: {v!r} is no verdict" for v in sorted({*verdicts, *others} - set(VERDICTS))]
    if counted != {verdict: verdicts.count(verdict) for verdict in VERDICTS}:
        wrong.append("reproduction.json: the counts are not those of its claims")
    return wrong


def read_counts(path: Path) -> dict[str, int]:
    """The verdicts' counts of a written `reproduction.json`. Raises UserError where it is missing or broken."""
    content = read_json(path, "Run the check_claims stage.")
    wrong = check_reproduction(content)
    if wrong:
        raise UserError(f"{path}: {wrong[0]}.", "Run the check_claims stage again.")
    counts: dict[str, int] = content["counts"]
    return counts


def build(judged: Judged, provenance: str, out: Path) -> None:
    """Write the page, whole or not at all."""
    evidence = judged.evidence
    methods = {name: evidence.methods(name) for name in evidence.tables}
    render(
        "reproduction.html.j2",
        out,
        {
            "counts": judged.counts,
            "findings": judged.findings,
            "labels": list(DATASETS.values()),
            "tables": [(name, [row for row in judged.rows if row.metric == name]) for name in ("iou", "boundary_iou")],
            "rule": RULE,
            "confounds": [(confound, answered(confound, methods)) for confound in confounds()],
            "model": evidence.model,
            "same_model": evidence.same_model,
            "paper_model": MODEL,
            "photos": evidence.photos,
            "tested": evidence.tested,
            "published": evidence.published,
            "controlled": "controls" in evidence.tables,
            "label": lambda name: dataset_label(name, evidence.facts[name].synthetic),
            "margin": evidence.margin,
            "level": f"{100 * (1 - evidence.alpha):g} %",
            "provenance": provenance,
        },
    )
