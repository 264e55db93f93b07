"""The paper's Table 1 beside ours, cell by cell: does its number lie within our interval?"""

from collections.abc import Mapping
from dataclasses import dataclass

from uncertsam.catalogue import DATASETS
from uncertsam.report._claims import NO, UNTOLD, YES, Verdict
from uncertsam.report._evidence import Estimate, Evidence, mean_over
from uncertsam.report._published import MODEL, REFINED, read_published

METRICS = {"iou": "iou", "boundary_iou": "boundary_iou_0.02"}  # theirs: ours; the width is not stated
RULE = (
    "A row reproduces where, on every set of the paper in this run, the printed number lies within our 95 % interval; "
    "it does not where one lies outside. With another model, or none of the sets, it cannot be told."
)


@dataclass(frozen=True)
class _TableCell:
    """One dataset of one row, in percent: the paper's number, ours where there is one, and whether they agree."""

    dataset: str
    paper: float
    ours: Estimate | None

    @property
    def agrees(self) -> bool | None:
        """None where there is nothing of ours, or no interval."""
        return (
            None
            if self.ours is None or self.ours.low != self.ours.low
            else self.ours.low <= self.paper <= self.ours.high
        )


@dataclass(frozen=True)
class Row:
    """One row of Table 1: its name in the paper, our method, its metric, a cell per dataset, and the verdict."""

    source: str
    method: str
    metric: str
    cells: list[_TableCell]
    verdict: Verdict
    reason: str


def table_one(evidence: Evidence) -> list[Row]:
    """All rows in the paper's order, IoU first."""
    paper = read_published()
    paper = paper[paper["method"].isin(["sam", *REFINED])]
    parts = paper.groupby(["metric", "method"], sort=False)
    rows = [
        _row(evidence, str(part["source"].iloc[0]).removeprefix("Table 1: "), str(method), str(metric),
             {str(d): float(v) for d, v in zip(part["dataset"], part["value"], strict=True)})
        for (metric, method), part in parts
    ]  # fmt: skip
    return sorted(rows, key=lambda row: list(METRICS).index(row.metric))


def _row(evidence: Evidence, source: str, method: str, metric: str, printed: Mapping[str, float]) -> Row:
    cells = [_TableCell(name, printed[name], _ours(evidence, method, metric, name)) for name in DATASETS]
    verdict, reason = _verdict(evidence, method, cells)
    return Row(source, method, metric, cells, verdict, reason)


def _ours(evidence: Evidence, method: str, metric: str, dataset: str) -> Estimate | None:
    """In percent."""
    if dataset not in evidence.published:
        return None
    found = evidence.estimate(METRICS[metric], mean_over([dataset], {method: 1.0}))
    return found and Estimate(100 * found.value, 100 * found.low, 100 * found.high)


def _verdict(evidence: Evidence, method: str, cells: list[_TableCell]) -> tuple[Verdict, str]:
    if not evidence.published:
        return UNTOLD, "synthetic data" if not evidence.photos else "none of the paper's sets is in this run"
    if not evidence.same_model:
        return UNTOLD, f"another model: {evidence.model} instead of {MODEL}"
    known = [cell.agrees for cell in cells if cell.agrees is not None]
    if not known:
        return UNTOLD, f"not run: {method}"
    return (YES if all(known) else NO), f"{sum(known)} of {len(known)} sets agree"
