"""The rooms stand on each other: an import only ever points downwards."""

import ast
from pathlib import Path

import pytest

# the top floor first; a room within a room before it
ROOMS = [
    "cli", "predictor", "errors",  # doors for others: nothing inside goes through them
    "app", "tracking", "report", "experiments", "figures", "statistics", "methods", "pretraining", "training",
    "inference", "metrics", "models", "data.raw", "data", "compute", "config", "catalogue", "base",
]  # fmt: skip


def floor(module: str) -> int:
    """The floor of `uncertsam.module`; the package itself lies below all. Raises KeyError for an unknown room."""
    names = [room for room in ROOMS if f"{module}.".startswith(f"{room}.")]
    if not names and module:
        raise KeyError(f"uncertsam.{module} is in no room of tests/test_layers.py")
    return ROOMS.index(max(names, key=len)) if names else len(ROOMS)


def imports(tree: ast.Module, source: Path) -> list[tuple[int, str]]:
    """(line, module below `uncertsam`) of every import of the package, wherever it stands in the file."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            paths = [source / Path(*name.split(".")) for name in inside]
            modules = [n for n, p in zip(inside, paths, strict=True) if p.with_suffix(".py").is_file() or p.is_dir()]
            found += [(node.lineno, name) for name in [node.module, *modules]]
    return [(line, n.removeprefix("uncertsam").lstrip(".")) for line, n in found if n.split(".")[0] == "uncertsam"]


def upward(source: Path) -> list[str]:
    """file:line of every import that points upwards."""
    found = []
    for path in sorted((source / "uncertsam").rglob("*.py")):
        own = (
            ".".join(path.relative_to(source / "uncertsam").with_suffix("").parts).removesuffix("__init__").rstrip(".")
        )
        for line, module in imports(ast.parse(path.read_text(encoding="utf-8")), source):
            if module and floor(module) < floor(own):
                found.append(f"{path.relative_to(source)}:{line}: uncertsam.{own} imports uncertsam.{module}")
    return found


def test_every_import_points_downwards(root):
    assert upward(root / "src") == []


@pytest.mark.parametrize(
    "line", ["from uncertsam.app import cli", "from uncertsam import report", "import uncertsam.cli"]
)
def test_an_import_that_points_upwards_is_named(tmp_path, line):
    (tmp_path / "uncertsam" / "report").mkdir(parents=True)
    (tmp_path / "uncertsam" / "metrics").mkdir()
    (tmp_path / "uncertsam" / "metrics" / "masks.py").write_text(f"def f():\n    {line}\n")
    (found,) = upward(tmp_path)
    assert found.startswith("uncertsam/metrics/masks.py:2: uncertsam.metrics.masks imports uncertsam.")
