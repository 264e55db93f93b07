"""Proof that the rebuild check can fail: one changed value, and one broken figure function, must both be seen.

python .ci/canary.py reports
"""

import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

from uncertsam.figures.radar import radar
from uncertsam.figures.table import read_intervals
from uncertsam.results.compare import differences


def draw(reports: Path, bounds: Path, draw_radar=radar) -> list[str]:
    """Redraw one radar of a copy of the reports from `bounds`; the differences to the reports themselves."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "reports"
        shutil.copytree(reports, copy)
        shutil.copy(bounds, copy / "intervals.csv")
        draw_radar(read_intervals(bounds), "pearson", copy / "figures" / "pearson_radar")
        return differences(reports, copy)


def blank(frame: pd.DataFrame, metric: str, stem: Path) -> None:
    """A figure function that forgets its polygons."""
    empty = frame.assign(mean_masks=frame["mean_masks"].where(frame["metric"] != metric))
    radar(empty, metric, stem)


def changed(reports: Path, folder: Path) -> Path:
    """The table with the first Pearson mean lowered by 0.3."""
    frame = pd.read_csv(reports / "intervals.csv", keep_default_na=True)
    row = frame.index[(frame["metric"] == "pearson") & (frame["method"] == "sam") & (frame["region"] == "full")][0]
    frame.loc[row, "mean_masks"] -= 0.3
    frame.to_csv(folder / "intervals.csv", index=False)
    return folder / "intervals.csv"


def main(reports: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        seen = draw(reports, changed(reports, Path(folder)))
        assert any("pearson_radar.csv" in line for line in seen), "a changed value did not reach the CSV"
        assert any("pearson_radar.png" in line for line in seen), "a changed value did not reach the picture"
    broken = draw(reports, reports / "intervals.csv", blank)
    assert any("pearson_radar" in line for line in broken), "a broken figure function was not seen"
    print("the canaries died as they should: a changed value and a broken figure were both seen")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
