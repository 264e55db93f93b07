from dataclasses import replace

import pandas as pd
import pytest

from uncertsam.catalogue import DATASETS
from uncertsam.data.licences import PUBLISHED
from uncertsam.report._published import Known, beside, is_published, read_published

ISTD = Known("ISTD", "istd", False)
PARAMS = {"base": {"model": "sam2_large"}, "methods": {"sam": {"token": "dynamic", "gate": True}}}


def frame(dataset: str = "ISTD", low: float = 0.6) -> pd.DataFrame:
    """Rows like those of `intervals.csv`, for two methods and a baseline."""
    means = {"iou": 0.65, "boundary_iou_0.02": 0.5, "boundary_iou_0.01": 0.4, "pearson": 0.7}
    shift = {"sam": 0.0, "laplace": -0.1, "constant": -0.7}
    rows = [
        (dataset, method, metric, value + step, low, 0.7, 9, 12)
        for method, step in shift.items()
        for metric, value in means.items()
    ]
    columns = ["dataset", "method", "metric", "mean_masks", "low", "high", "n_images", "n_masks"]
    return pd.DataFrame(rows, columns=columns)


def line(found: dict, label: str) -> dict:
    return next(line for line in found["lines"] if line["label"] == label)


def test_table_1_is_whole_and_names_the_datasets_of_the_benchmark() -> None:
    paper = read_published()
    table = paper[paper["source"].str.startswith("Table 1")]
    assert set(table["dataset"]) == set(DATASETS) == set(PUBLISHED)
    assert not table.duplicated(["dataset", "method", "metric"]).any() and len(table) == 8 * 5 * 2
    assert table["value"].between(0, 100).all() and paper["source"].str.len().min() > 0
    pairs = table.pivot(index=["dataset", "method"], columns="metric", values="value")
    assert (pairs["boundary_iou"] < pairs["iou"]).all()  # outlines are harder than areas, in every published cell


def test_the_baseline_row_says_what_the_papers_prose_says() -> None:
    """SAM is strong on BIG and COIFT, and weak on ISTD, SBU and Flare."""
    sam = read_published().query("method == 'sam' and metric == 'iou'").set_index("dataset")["value"]
    assert (sam["COIFT"], sam["ISTD"], sam["Flare7K"]) == (94.77, 65.71, 42.82)
    assert sam[["BIG", "COIFT"]].min() > 89 and sam[["ISTD", "SBU-shadow", "Flare7K"]].max() < 67


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("ISTD", ISTD, True),
        ("ISTD", replace(ISTD, adapter="benchmark"), True),
        ("ISTD", replace(ISTD, synthetic=True), False),
        ("ISTD", replace(ISTD, adapter="folder"), False),
        ("soft_shadows", replace(ISTD, synthetic=True), False),
        ("my_shadows", ISTD, False),
    ],
)
def test_only_the_set_itself_counts(name: str, known: Known, expected: bool) -> None:
    assert is_published(name, known) == expected


def test_ours_stand_beside_the_paper_with_their_difference() -> None:
    found = beside(frame(), {"ISTD": ISTD}, PARAMS)
    iou, wide, narrow = line(found, "ISTD")["cells"]
    assert iou == {"paper": "65.71", "ours": "65.00", "interval": "60.0–70.0", "difference": "-0.71"}
    assert (wide["ours"], wide["difference"], narrow["ours"]) == ("50.00", "+2.29", "40.00")
    assert line(found, "ISTD")["lowest"] == "0.60 (Laplace)"  # the baseline's 0 does not count
    assert line(found, "ISTD")["size"] == "12 masks, 9 images"
    assert found["shared"] == 1 and found["same_model"] and (found["token"], found["gate"]) == ("dynamic", "on")
    assert line(found, "BIG")["cells"][0]["paper"] == "89.95" and line(found, "BIG")["why"] == "not in this run"


def test_a_world_in_a_sets_layout_is_not_that_set() -> None:
    world = Known("Soft shadows (synthetic)", "istd", True)
    found = beside(frame("soft_shadows"), {"soft_shadows": world}, {})
    assert found["shared"] == 0 and not found["same_model"] and found["model"] == "not stated"
    assert all(cell["ours"] == cell["difference"] == "" for row in found["lines"] for cell in row["cells"])
    assert line(found, "ISTD")["why"] == "not in this run; Soft shadows (synthetic) only has its layout"


def test_too_few_images_give_no_interval() -> None:
    found = beside(frame(low=float("nan")), {"ISTD": ISTD}, PARAMS)
    assert line(found, "ISTD")["cells"][0]["interval"] == ""


def test_a_set_that_was_not_measured_stays_empty() -> None:
    found = beside(frame("BIG"), {"ISTD": ISTD, "BIG": Known("BIG", "big", False)}, PARAMS)
    assert line(found, "ISTD")["cells"][0]["ours"] == "" and line(found, "ISTD")["size"] == "nothing measured"
    assert line(found, "BIG")["cells"][0]["ours"] == "65.00"
