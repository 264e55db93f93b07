"""`usam.csv`: how well each score says which masks to replace first; `quality.csv`: which masks to keep.

usam.csv     protocol    deployable, or the paper's, whose mask is chosen by the truth (`methods.usam.protocols`)
             decision    model, prompt, task, segmentation; model only where there are two models or more
             auc         mean IoU over the share of masks that are replaced, in the order of the score
             rel_auc     that between the worst order (0) and the best (1), a random one 1/2 on average; lo, hi: 95 %
quality.csv  of base.model's choice of mask, risk 1 - IoU. augrc with its interval low, high; e_augrc: beyond the best
             order; auroc for an IoU below tabulate.failure_iou; bias, mae: predicted less true IoU

dataset "all": all of them as one. Clusters are resampled, n counts masks. Models in the order of params.yaml.
"""

import math
from typing import Any

import pandas as pd

from uncertsam.statistics.schema import COUNT, NUMBER, WORD, Column, Schema

PROTOCOLS = DEPLOYABLE, PAPER = ("deployable", "paper")
DECISIONS = MODEL, PROMPT, TASK, SEGMENTATION = ("model", "prompt", "task", "segmentation")
USAM, DIRECT, SAM = "usam", "usam_direct", "sam_score"
SCORES = (USAM, DIRECT, SAM, "h_std", "h_y", "h_theta", "h_xp", "h_a")
NUMBERS = ["auc", "rel_auc", "lo", "hi", "n"]
_SHARE, _MAYBE = Column(within=(0.0, 1.0)), Column(within=(0.0, 1.0), empty=True)
DECIDED = Schema(
    "usam.csv",
    "Run the evaluate_usam stage.",
    {"protocol": Column("str", words=PROTOCOLS), "trained_on": WORD, "dataset": WORD, "model": WORD,
     "decision": Column("str", words=DECISIONS), "score": Column("str", words=SCORES), "auc": _SHARE,
     "rel_auc": _MAYBE, "lo": _MAYBE, "hi": _MAYBE, "n": COUNT},
    ["protocol", "trained_on", "dataset", "model", "decision", "score"],
)  # fmt: skip
QUALITY = Schema(
    "quality.csv",
    "Run the evaluate_usam stage.",
    {"dataset": WORD, "score": WORD, "augrc": _SHARE, "e_augrc": _SHARE, "aurc": _SHARE, "auroc": _MAYBE,
     "bias": NUMBER, "mae": NUMBER, "low": _MAYBE, "high": _MAYBE, "n": COUNT},
    ["dataset", "score"],
)  # fmt: skip


def primary(frame: pd.DataFrame) -> pd.DataFrame:
    """Of `usam.csv` the rows of the model that the paper reads: the largest for segmentation, else the smallest."""
    names = list(frame["model"].drop_duplicates())
    wanted = frame["decision"].map(lambda decision: names[-1 if decision == SEGMENTATION else 0])
    return frame[frame["model"] == wanted]


def verdict(frame: pd.DataFrame) -> dict[str, Any]:
    """protocol -> dataset -> decision -> score -> {auc, rel_auc, lo, hi, n}; None for what there is not."""
    rows = primary(frame).set_index(["protocol", "dataset", "decision", "score"])[NUMBERS]
    found = {key: {name: _told(value) for name, value in row.items()} for key, row in rows.to_dict("index").items()}
    datasets = list(frame["dataset"].drop_duplicates())
    return {p: {d: {c: _scores(found, p, d, c) for c in DECISIONS} for d in datasets} for p in PROTOCOLS}


def _scores(found: dict[Any, Any], *case: str) -> dict[str, Any] | None:
    scores = {score: found.get((*case, score)) for score in SCORES}
    return scores if any(scores.values()) else None


def _told(value: float | int) -> float | int | None:
    return None if math.isnan(value) else value
