"""The rooms stand on each other: an import only ever points downwards, and what is private stays in its folder."""

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


def names(path: Path) -> list[tuple[int, str]]:
    """(line, module or name below `uncertsam`) of every import of the package, wherever it stands in the file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return [(line, n.removeprefix("uncertsam").lstrip(".")) for line, n in found if n.split(".")[0] == "uncertsam"]


def module_of(name: str, source: Path) -> str:
    """`name` itself where it is a module or a folder, else the module that holds it."""
    path = source / "uncertsam" / Path(*name.split("."))
    return name if path.with_suffix(".py").is_file() or path.is_dir() else name.rpartition(".")[0]


def upward(source: Path) -> list[str]:
    """file:line of every import that points upwards."""
    found = []
    for path in sorted((source / "uncertsam").rglob("*.py")):
        place = path.relative_to(source / "uncertsam").with_suffix("")
        own = ".".join(place.parts).removesuffix("__init__").rstrip(".")
        for line, module in ((line, module_of(name, source)) for line, name in names(path)):
            if module and floor(module) < floor(own):
                found.append(f"{path.relative_to(source)}:{line}: uncertsam.{own} imports uncertsam.{module}")
    return found


def trespasses(source: Path) -> list[str]:
    """file:line of every import of a private module, or of a private name, from another folder."""
    found = []
    for path in sorted((source / "uncertsam").rglob("*.py")):
        for line, name in names(path):
            parts = name.split(".")
            private = [k for k, part in enumerate(parts) if part.startswith("_") and not part.startswith("__")]
            holder = source / "uncertsam" / Path(*parts[: private[0]]) if private else path.parent
            if (holder if holder.is_dir() else holder.parent) != path.parent:
                found.append(f"{path.relative_to(source)}:{line}: {name} is private")
    return found


def test_every_import_points_downwards(root):
    assert upward(root / "src") == []


@pytest.mark.parametrize(
    "line", ["from uncertsam.app import cli", "from uncertsam import report", "import uncertsam.cli"]
)
def test_an_import_that_points_upwards_is_named(tmp_path, line):
    (tmp_path / "uncertsam" / "report").mkdir(parents=True)
    (tmp_path / "uncertsam" / "metrics").mkdir()
    (tmp_path / "uncertsam" / "cli.py").touch()
    (tmp_path / "uncertsam" / "metrics" / "masks.py").write_text(f"def f():\n    {line}\n")
    (found,) = upward(tmp_path)
    assert found.startswith("uncertsam/metrics/masks.py:2: uncertsam.metrics.masks imports uncertsam.")


def test_what_is_private_is_imported_in_its_folder_only(root):
    assert trespasses(root / "src") == []


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("from uncertsam.metrics import _blocks", True),
        ("from uncertsam.metrics._blocks import f", True),
        ("from uncertsam.metrics.masks import _f", True),
        ("from uncertsam import __version__", True),
        ("from uncertsam.report._page import f", False),
        ("import uncertsam.report._page", False),
        ("from uncertsam.report.page import _f", False),
        ("from uncertsam.metrics.deep._page import f", False),
        ("from uncertsam import _page", False),
    ],
)
def test_a_private_import_is_named_where_it_leaves_its_folder(tmp_path, line, allowed):
    for folder in ("report", "metrics/deep"):
        (tmp_path / "uncertsam" / folder).mkdir(parents=True)
    (tmp_path / "uncertsam" / "metrics" / "ranking.py").write_text(f"{line}\n")
    assert len(trespasses(tmp_path)) == (0 if allowed else 1)
