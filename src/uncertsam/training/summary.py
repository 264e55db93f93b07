"""What came out of a training: two losses, and the curve as CSV."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from uncertsam.base.files import written_aside
from uncertsam.training.engine import COLUMNS, Trained


def outcome(trained: Trained) -> dict[str, float | None]:
    """Held-out loss before training and at its best; None where nothing was held out."""
    column = COLUMNS.index("held_out_loss")
    known = [row[column] for row in trained.curve if not math.isnan(row[column])]
    return {"held_out_loss_at_start": known[0] if known else None, "held_out_loss": min(known) if known else None}


def write_curve(rows: Iterable[Sequence[object]], path: Path, *keys: str) -> None:
    """A row per step or validation: `keys`, then the engine's columns, empty where there is no number."""
    import pandas as pd

    with written_aside(path) as aside:
        pd.DataFrame(rows, columns=[*keys, *COLUMNS]).to_csv(aside, index=False, float_format="%.8g")
