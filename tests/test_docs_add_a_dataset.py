"""docs/add_a_dataset.md, as it stands there: the new layout becomes a benchmark set, and options reach its adapter."""

from pathlib import Path

import pytest
import yaml
from documents import apply, blocks, commands, copied, run
from PIL import Image, ImageDraw
from staging import ROOT

from uncertsam.data.format import Split, read_split

PAGE, NEW = "add_a_dataset.md", "rooms"
FILES = ("kitchen/0001.jpg", "kitchen/0002.jpg", "attic/0001.jpg")
OBJECTS = {"kitchen/0001": ["cup", "spoon"], "attic/0001": ["chair"]}  # kitchen/0002 has none
MEANING = {"key": NEW, "item.source": "my_rooms"}


def draw(folder: Path) -> None:
    """The layout of the page."""
    for place, name in enumerate(FILES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.radial_gradient("L").rotate(90 * place).resize((64, 48)).convert("RGB").save(path)
    for name, labels in OBJECTS.items():
        for place, label in enumerate(labels):
            mask = Image.new("L", (64, 48))
            ImageDraw.Draw(mask).rectangle((4 + 30 * place, 5, 24 + 30 * place, 40), fill=255)
            mask.save(folder / f"{name}.{label}.png")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the adapter in it, which has read the set."""
    root = copied(tmp_path_factory.mktemp("copy"), yaml.safe_load((ROOT / "profiles" / "demo.yaml").read_text()))
    apply(PAGE, root)
    draw(root / "my_rooms")
    run(root, f"from staging import stage\nfor name in ('acquire', 'preprocess'):\n    stage(name, {MEANING})")
    return root


@pytest.fixture(scope="module")
def split(root: Path) -> Split:
    return read_split(root / "data" / "benchmark" / NEW / "test")


def test_the_page_changes_nothing_but_what_it_promises() -> None:
    assert set(blocks(PAGE)) == {"src/uncertsam/data/raw/adapters/scenes.py", "params.yaml"}
    assert commands(PAGE) == [f"dvc repro preprocess@{NEW}", "dvc repro"]


def test_every_picture_with_masks_is_there_with_their_names(split: Split) -> None:
    found = {image.source.removesuffix(".jpg"): [a.label for a in split.annotations[image.id]] for image in split}
    assert found == OBJECTS
    assert [(s["file"], s["reason"]) for s in split.info["skipped"]] == [
        ("kitchen/0002.jpg", "it has no masks beside it")
    ]


def test_options_and_rules_reach_the_report(split: Split) -> None:
    assert {image.quality for image in split} == {"human"}
    assert "Pictures of one folder show one scene and stay together." in split.info["choices"]


def test_the_other_datasets_are_still_named(root: Path) -> None:
    values = yaml.safe_load((root / "params.yaml").read_text())
    assert (
        values["datasets"][-1] == NEW and len(values["datasets"]) > 1 and set(values["datasets"]) <= set(values["data"])
    )


def test_a_folder_of_another_layout_is_refused_with_the_layout_that_is_meant(root: Path) -> None:
    code = (
        "from pathlib import Path\nfrom uncertsam.data.raw.adapters.base import read_raw\n"
        "from uncertsam.errors import UserError\n"
        "try:\n    read_raw('scenes', Path('src'), {})\nexcept UserError as error:\n    print(error)"
    )
    assert "SCENE/NAME.OBJECT.png" in run(root, code)
