from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from uncertsam.base.errors import UserError
from uncertsam.figures.provenance import fingerprint, footnotes, provenance_line
from uncertsam.statistics.intervals import INTERVALS
from uncertsam.statistics.selection import chosen, labels

Maker = Callable[..., pd.DataFrame]


def test_intervals_survive_the_round_trip(tmp_path: Path, invented: Maker) -> None:
    frame = invented(3).replace({"dataset": {"ISTD": "NA", "cracks": "nan"}})  # names that pandas takes for gaps
    frame.loc[3, ["mean_masks", "low", "high"]] = float("nan")
    frame.to_csv(tmp_path / "intervals.csv", index=False)
    pd.testing.assert_frame_equal(INTERVALS.read(tmp_path / "intervals.csv"), frame, check_dtype=False)


def test_order_of_rows_does_not_matter(invented: Maker) -> None:
    frame = invented(4, 6)
    shuffled = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(chosen(frame, ["brier"]), chosen(shuffled, ["brier"]))


def test_the_papers_datasets_and_known_methods_come_first(invented: Maker) -> None:
    drawn = chosen(invented(3, 6), ["pearson"])
    assert list(labels(drawn)) == ["ISTD", "cracks", "soft_shadows"]
    assert list(drawn["method"])[:6] == [
        "sam",
        "laplace",
        "laplace_closed",
        "constant",
        "boundary_distance",
        "my_method",
    ]


def test_a_metric_that_was_not_measured_is_named(invented: Maker) -> None:
    with pytest.raises(UserError, match="no row of nll"):
        chosen(invented(2), ["nll"])


def test_footnotes_explain_every_mark(invented: Maker) -> None:
    frame = invented(4)
    frame.loc[frame["dataset"] == "cracks", "note"] = "n too small"
    notes = "\n".join(footnotes(frame))
    assert "† Spleen: labels are another model's output" in notes
    assert "‡ Cracks" in notes and "(synthetic)" in notes and "ISTD" not in notes


def test_provenance_depends_on_content_alone() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 1, "b": 3})
    assert provenance_line({"a": 1}, "9f8e") == provenance_line({"a": 1}, "9f8e") != provenance_line({"a": 1}, "9f8f")
