"""The code blocks of a page of docs/, applied to a copy of the repository in which nothing else is changed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from staging import ROOT

BLOCK = re.compile(r"`([\w./]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
REST = "..."  # in a list: what is there already


def blocks(page: str) -> dict[str, str]:
    """file: text, of every block that follows a line which ends in the file's name."""
    return dict(BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))


def commands(page: str) -> list[str]:
    """The lines of the blocks of shell."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).splitlines()


def copied(folder: Path, params: dict[str, Any]) -> Path:
    """What a pipeline needs, with these parameters."""
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (folder / "tests").mkdir()
    for name in ("dvc.yaml", "pyproject.toml", "tests/staging.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "checkpoints").symlink_to(ROOT / "checkpoints")
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def apply(page: str, root: Path) -> None:
    """Files of Python are new, YAML is merged into the file that is there."""
    for name, text in blocks(page).items():
        path = root / name
        if path.suffix == ".py":
            assert not path.exists(), f"{page} would replace {name}"
            path.write_text(text, encoding="utf-8")
        else:
            path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), yaml.safe_load(text))))


def merged(old: Any, new: Any) -> Any:
    """`new` over `old`, where lists may begin with the rest: they grow in place, wherever YAML shares them."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: merged(old.get(key), value) for key, value in new.items()}
    if isinstance(new, list) and new[:1] == [REST]:
        for item in new[1:]:
            keys = isinstance(item, dict) and item.keys()
            same = [place for place, o in enumerate(old) if keys and isinstance(o, dict) and o.keys() == keys]
            if same:
                old[same[0]] = merged(old[same[0]], item)
            else:
                old.append(item)
        return old
    return new


def run(root: Path, code: str) -> str:
    """What a fresh process prints that imports the copy's package, and nothing of ours."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root / "tests")])}
    words = [sys.executable, "-c", f"import uncertsam\nassert {str(root)!r} in uncertsam.__file__\n{code}"]
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout
