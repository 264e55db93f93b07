"""The learning curve of a long training: a CSV row per hundred steps, appended as they are done."""

from collections import defaultdict
from pathlib import Path

import numpy as np

COLUMNS = ("loss", "iou_box", "iou_click", "iou_corrected")
EVERY = 100  # steps


class Curve:
    """Means over each hundred steps; rows after `first`, of a run that was cut off, are dropped."""

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        old = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() and first else []
        kept = [line for line in old if int(line.split(",")[0]) <= first]
        path.write_text("\n".join([",".join(("step", *COLUMNS)), *kept]) + "\n", encoding="utf-8")
        self.seen: dict[str, list[float]] = defaultdict(list)

    def log(self, step: int, values: dict[str, float]) -> None:
        """Note the values of the step with this number, from 0."""
        for name in COLUMNS:
            self.seen[name] += [values[name]] if name in values else []
        if (step + 1) % EVERY == 0:
            means = (f"{np.mean(self.seen[name]):.4f}" if self.seen[name] else "" for name in COLUMNS)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(",".join([str(step + 1), *means]) + "\n")
            self.seen.clear()
