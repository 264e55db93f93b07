"""The rebuild check sees what changed, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uncertsam.results.compare import differences


@pytest.fixture
def reports(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal report folders."""
    for name in ("old", "new"):
        root = tmp_path / name
        root.mkdir()
        (root / "metrics.json").write_text(json.dumps({"set": {"sam": {"iou": 0.5, "aurc": None}}}))
        pd.DataFrame({"dataset": ["set", "set"], "value": [0.25, np.nan]}).to_csv(root / "intervals.csv", index=False)
        Image.fromarray(np.full((20, 20, 3), 255, np.uint8)).save(root / "figure.png")
    return tmp_path / "old", tmp_path / "new"


def test_equal_reports_agree(reports):
    assert differences(*reports) == []


def test_a_number_may_move_within_the_tolerance_and_no_further(reports):
    old, new = reports
    for value, count in ((0.5005, 0), (0.51, 1), (None, 1)):
        (new / "metrics.json").write_text(json.dumps({"set": {"sam": {"iou": value, "aurc": None}}}))
        assert len(differences(old, new)) == count


def test_a_changed_cell_of_a_table_is_named(reports):
    old, new = reports
    pd.DataFrame({"dataset": ["set", "set"], "value": [0.25, 0.3]}).to_csv(new / "intervals.csv", index=False)
    assert differences(old, new) == ["intervals.csv: value of row 1 is 0.3, was nan"]


def test_a_changed_picture_is_named(reports):
    old, new = reports
    picture = np.full((20, 20, 3), 255, np.uint8)
    picture[:5] = 0
    Image.fromarray(picture).save(new / "figure.png")
    assert differences(old, new) == ["figure.png differs in 25.0% of its pixels"]


def test_lost_and_added_files_are_named(reports):
    old, new = reports
    (new / "figure.png").rename(new / "other.png")
    assert differences(old, new) == ["figure.png is missing", "other.png is new"]
