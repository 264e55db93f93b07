"""The rebuild check sees what changed, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.report.compare import differences


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


def test_the_hash_under_a_figure_may_change_and_what_is_above_it_may_not(reports):
    for row, count in ((-30, 0), (-60, 1)):
        for root, ink in zip(reports, (0, 200), strict=True):
            (root / "figures").mkdir(exist_ok=True)
            picture = np.full((200, 50, 3), 255, np.uint8)
            picture[row : row + 10, 5:40] = ink
            Image.fromarray(picture).save(root / "figures" / "bars.png")
        assert len(differences(*reports)) == count


@pytest.mark.parametrize("name", ["answers.csv", "refinement_answers.csv"])
def test_what_ranks_decide_may_jump(reports, name):
    for root, effect in zip(reports, (0.60, 0.59), strict=True):
        pd.DataFrame({"difference": [0.1], "effect": [effect], "p": [effect]}).to_csv(root / name, index=False)
    assert differences(*reports) == []


def test_lost_and_added_files_are_named(reports):
    old, new = reports
    (new / "figure.png").rename(new / "other.png")
    assert differences(old, new) == ["figure.png is missing", "other.png is new"]


def test_what_make_bench_wrote_is_no_part_of_a_rebuild(reports):
    old, new = reports
    (old / "benchmarks.json").write_text("[]")
    (new / "benchmark_curves.csv").write_text("part\n")
    assert differences(old, new) == []


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


def test_times_of_another_run_are_no_difference_but_lost_rows_are(reports):
    old, new = reports
    row = {"method": "sam", "unit": "mask", "ms": 1.0, "ratio": 1.0, "peak_mb": 3.0, "masks": 12}
    pd.DataFrame([row]).to_csv(old / "cost.csv", index=False)
    pd.DataFrame([row | {"ms": 9.0, "peak_mb": 4.0}]).to_csv(new / "cost.csv", index=False)
    assert differences(old, new) == []
    pd.DataFrame([row | {"method": "laplace"}]).to_csv(new / "cost.csv", index=False)
    assert differences(old, new) == ["cost.csv: method of row 0 is laplace, was sam"]
    pd.DataFrame([row, row]).to_csv(new / "cost.csv", index=False)
    assert "another shape" in differences(old, new)[0]


def test_what_a_rank_decides_may_jump_and_the_difference_behind_it_may_not(reports):
    old, new = reports
    row = {"method": "laplace", "difference": 0.0001, "p_holm": 0.03, "outcome": "better"}
    pd.DataFrame([row]).to_csv(old / "answers.csv", index=False)
    pd.DataFrame([row | {"difference": 0.0002, "p_holm": 0.06, "outcome": "no difference shown"}]).to_csv(
        new / "answers.csv", index=False
    )
    assert differences(old, new) == []
    pd.DataFrame([row | {"difference": 0.1}]).to_csv(new / "answers.csv", index=False)
    assert differences(old, new) == ["answers.csv: difference of row 0 is 0.1, was 0.0001"]


def test_words_on_the_numbers_must_be_there_and_readable(reports):
    old, new = reports
    (old / "answers.json").write_text('{"sentence": "better"}')
    assert differences(old, new) == ["answers.json is missing"]
    (new / "answers.json").write_text('{"sentence": "not better"}')
    assert differences(old, new) == []
    (new / "answers.json").write_text("{")
    with pytest.raises(UserError, match="answers.json"):
        differences(old, new)
