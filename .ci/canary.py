"""Proof that the rebuild check can fail: a changed value, and a figure function that draws nothing, are both seen.

python .ci/canary.py reports
"""

import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

import pandas as pd

from uncertsam.config.params import Config
from uncertsam.figures import bars, radar
from uncertsam.figures.provenance import figure_footer
from uncertsam.report.compare import differences
from uncertsam.statistics.intervals import INTERVALS
from uncertsam.statistics.table import unrefined


def redrawn(reports: Path, frame: pd.DataFrame) -> list[str]:
    """The differences to `reports` after its Pearson figures have been drawn again from `frame`."""
    config = Config.read()
    foot = figure_footer(config.base.model, list(config.methods), config.predict.split, reports / "intervals.csv")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "reports"
        shutil.copytree(reports, copy)
        radar.radar(frame, "pearson", copy / "figures" / "pearson_radar", foot)
        bars.bars(frame, ["pearson"], copy / "figures" / "pearson_bars", foot)
        return differences(reports, copy)


def lowered(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with the first Pearson mean of `sam` lowered by 0.3."""
    chosen = (frame["metric"] == "pearson") & (frame["method"] == "sam") & (frame["region"] == "full")
    return frame.assign(mean_masks=frame["mean_masks"].where(frame.index != frame.index[chosen][0], lambda v: v - 0.3))


def main(reports: Path) -> None:
    frame = unrefined(INTERVALS.read(reports / "intervals.csv"))  # as the figures stage
    assert redrawn(reports, frame) == [], "drawing the same numbers again must give the same pictures"
    seen = redrawn(reports, lowered(frame))
    for name in ("pearson_radar.csv", "pearson_radar.png", "pearson_bars.csv", "pearson_bars.png"):
        assert any(name in line for line in seen), f"a changed value did not reach {name}: {seen}"
    with mock.patch.object(radar, "_polygons"), mock.patch.object(radar, "_fans"):
        broken = redrawn(reports, frame)
    assert len(broken) == 1 and "pearson_radar.png" in broken[0], f"a radar without lines was not seen: {broken}"
    print("the canaries died as they should: a changed value and a broken figure were both seen")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
