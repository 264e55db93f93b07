"""Every command of docs/your_data.md does what it says, as it stands there."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from uncertsam.data.format import read_split

PAGE = (Path(__file__).parents[1] / "docs" / "your_data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(root, tmp_path, monkeypatch) -> Path:
    """A repository with the folders that the page describes; the current folder."""
    from PIL import Image

    for name in ("dvc.yaml", "pyproject.toml"):
        shutil.copy(root / name, tmp_path / name)
    shutil.copy(root / "profiles" / "demo.yaml", tmp_path / "params.yaml")
    for name in ("checkpoints", "requirements"):
        (tmp_path / name).symlink_to(root / name)
    for folder in ("photos", "my_data/cats/images", "my_data/cats/masks"):
        (tmp_path / folder).mkdir(parents=True)
    split = read_split(root / "data" / "golden")
    for name, image in zip(("cat", "dog"), split, strict=False):
        source = split.root / "images" / image.file_name
        for target in (f"photos/{name}.jpg", f"my_data/cats/images/{name}.jpg"):
            shutil.copy(source, tmp_path / target)
        Image.fromarray(split.masks(image.id)[0]).save(tmp_path / f"my_data/cats/masks/{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_of_the_page_runs(workplace, uncertsam):
    """In order: later ones rely on what earlier ones made."""
    assert {kind for kind, _ in BLOCKS} == {"bash", "sh", "json", "python"}
    for kind, text in BLOCKS:
        if kind == "bash":
            continue  # the installation, which .ci/installed runs
        if kind == "json":
            json.loads(text)
            Path("boxes.json").write_text(text)
        elif kind == "python":
            exec(compile(text, "docs/your_data.md", "exec"), {})
        else:
            for line in text.splitlines():
                words, _, target = line.partition(" > ")
                name, *rest = shlex.split(words)
                code, said, error = uncertsam(*rest)
                assert name == "uncertsam" and code == 0, f"{line}: {error}"
                if target:
                    Path(target.strip()).write_text(said)
    listed = set(re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE))
    assert {path.name for path in Path("results/cat").iterdir()} == listed | {"predictions.json"}
    assert Path("results/all/cat/2/plot.png").is_file() and Path("plot.png").is_file()
    assert len(json.loads(Path("all.json").read_text())["predictions"]) == 3


def test_every_command_that_the_page_names_exists():
    import typer.main

    from uncertsam.cli import app

    named = set(re.findall(r"uncertsam ([a-z]+)(?= |`|$)", PAGE, re.MULTILINE))
    known = {name for name, _ in typer.main.get_command(app).commands.items()}
    assert named and named <= known
