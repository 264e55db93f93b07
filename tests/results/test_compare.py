"""The rebuild check sees what changed, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uncertsam.errors import UserError
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
    picture[5:10, 5:10] = 0
    Image.fromarray(picture).save(new / "figure.png")
    (line,) = differences(old, new)
    assert line.startswith("figure.png differs in ")


def test_lost_and_added_files_are_named(reports):
    old, new = reports
    (new / "figure.png").rename(new / "other.png")
    assert differences(old, new) == ["figure.png is missing", "other.png is new"]


def test_what_moved_by_a_pixel_has_not_changed(reports):
    old, new = reports
    for root, at in ((old, 5), (new, 6)):
        picture = np.full((20, 20, 3), 255, np.uint8)
        picture[at : at + 8, at : at + 8] = 0
        Image.fromarray(picture).save(root / "figure.png")
    assert differences(old, new) == []


def test_an_empty_folder_is_no_report(reports, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no tables"):
        differences(tmp_path / "empty", reports[0])
