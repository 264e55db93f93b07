"""What the page says of the decisions: over how many models, by which protocol, and what came out, nulls included."""

from typing import Any

import pandas as pd

from uncertsam.config.sections import ALL
from uncertsam.experiments.decisions.figure import LABELS
from uncertsam.experiments.decisions.table import (
    DECIDED,
    DECISIONS,
    DEPLOYABLE,
    PAPER,
    PROTOCOLS,
    QUALITY,
    SAM,
    SCORES,
    SEGMENTATION,
    USAM,
    primary,
)
from uncertsam.statistics.schema import Tables


def contents(tables: Tables) -> dict[str, Any]:
    """What the template shows of `usam.csv` and `quality.csv`."""
    frame, quality = tables[DECIDED.name], tables[QUALITY.name]
    models = [str(name) for name in frame["model"].drop_duplicates()]
    rows = primary(frame[frame["dataset"] == ALL])
    cells = {(r["protocol"], r["decision"], r["score"]): r for r in rows.to_dict("records")}
    return {
        "masks": int(frame["n"].max()),
        "trained_on": ", ".join(frame["trained_on"].drop_duplicates()),
        "models": _models(models),
        "primary": _primary(cells),
        "decisions": DECISIONS,
        "protocols": [(name, [(LABELS[s], [_cell(cells.get((name, d, s))) for d in DECISIONS]) for s in SCORES])
                      for name in PROTOCOLS],
        "leak": _leak(cells),
        "quality": [(LABELS[row["score"]], _kept(row)) for row in
                    quality[quality["dataset"] == ALL].sort_values("augrc").to_dict("records")],
    }  # fmt: skip


def _models(names: list[str]) -> str:
    if len(names) == 1:
        return (
            f"There is one model, {names[0]}: entropies over models are those of one model, and there is no decision "
            "for another model."
        )
    return (
        f"Entropies over models, and the model decision, run over {len(names)} models: {', '.join(names)}. They need "
        "not differ in size alone."
    )


def _primary(cells: dict[Any, Any]) -> str:
    """The number named before the run, beside SAM's own score; the intervals are not those of a difference."""
    usam, sam = (_cell(cells.get((DEPLOYABLE, SEGMENTATION, score))) for score in (USAM, SAM))
    return (
        f"Primary number, the segmentation decision by deployable scores: relative AUC {usam['value']} "
        f"({usam['interval']}) for USAM, {sam['value']} ({sam['interval']}) for SAM's predicted IoU."
    )


def _leak(cells: dict[Any, Any]) -> list[tuple[str, str]]:
    """Relative AUC of USAM by the paper's protocol less that by the deployable one."""
    both = [(d, cells.get((PAPER, d, USAM)), cells.get((DEPLOYABLE, d, USAM))) for d in DECISIONS]
    return [(d, f"{paper['rel_auc'] - own['rel_auc']:+.3f}") for d, paper, own in both if paper and own]


def _cell(row: Any) -> dict[str, str]:
    if not row or pd.isna(row["rel_auc"]):
        return {"value": "–", "interval": ""}
    interval = "too few images" if pd.isna(row["lo"]) else f"{row['lo']:.3f} to {row['hi']:.3f}"
    return {"value": f"{row['rel_auc']:.3f}", "interval": interval}


def _kept(row: Any) -> list[str]:
    names = ("augrc", "low", "high", "e_augrc", "aurc", "auroc", "bias", "mae")
    return ["–" if pd.isna(row[name]) else f"{row[name]:.3f}" for name in names]
