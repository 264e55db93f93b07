"""docs/add_a_method.md, as it stands there: the method is measured, compared, timed and on the page."""

import json
import shlex
from pathlib import Path

import pandas as pd
import pytest
from documents import apply, blocks, commands, copied, merged, run
from PIL import Image
from spoiling import STAGES, settings
from staging import draw

PAGE, NEW = "add_a_method.md", "disagreement"
UNUSED = ("subset", "train_variance", "fit_combination")  # nothing here reads what they make


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the method in it, run on pictures of discs; then the page's first command."""
    root = copied(tmp_path_factory.mktemp("copy"), settings())
    apply(PAGE, root)
    draw(root / "photos", [f"cat {i}x" for i in range(12)])
    stages = [name for name in STAGES if name not in UNUSED]
    Image.open(root / "photos" / "images" / "cat 0x.png").resize((256, 192)).save(root / "photo.jpg")
    line = shlex.split(commands(PAGE)[0])
    run(
        root,
        "import sys\nfrom staging import stage\nfrom uncertsam.cli import main\n"
        f"for name in {stages}:\n    stage(name)\nsys.argv = {line}\nmain()",
    )
    return root


def test_the_page_changes_nothing_but_what_it_promises() -> None:
    assert set(blocks(PAGE)) == {f"src/uncertsam/methods/{NEW}.py", "params.yaml"}


def test_the_results_have_the_method_whose_map_is_not_sams(root: Path) -> None:
    table = pd.read_parquet(root / "reports" / "results.parquet")
    assert {"sam", NEW} <= set(table["method"])
    means = table[table["region"] == "full"].groupby(["metric", "method"], observed=True)["value"].mean()
    assert means["iou"][NEW] == pytest.approx(means["iou"]["sam"])
    assert means["pearson"][NEW] != pytest.approx(means["pearson"]["sam"])


def test_the_page_the_comparison_and_the_cost_have_it(root: Path) -> None:
    page = (root / "reports" / "index.html").read_text(encoding="utf-8")
    assert "Disagreement" in page and "SAM 2" in page
    for name in ("answers", "cost"):
        assert NEW in set(pd.read_csv(root / "reports" / f"{name}.csv")["method"]), name


def test_the_shell_answers_with_it(root: Path) -> None:
    told = json.loads((root / "results" / "prediction.json").read_text())
    assert NEW in json.dumps(told) and (root / "results" / "plot.png").is_file()
    assert commands(PAGE)[1:] == ["dvc repro"]


def test_lists_grow_where_the_rest_is_named_and_are_replaced_elsewhere() -> None:
    old = {"a": [1, 2, {"f": [7]}], "b": {"c": [3], "d": 4}}
    new = {"a": ["...", 5, {"f": ["...", 8]}], "b": {"c": [6]}}
    assert merged(old, new) == {"a": [1, 2, {"f": [7, 8]}, 5], "b": {"c": [6], "d": 4}}
