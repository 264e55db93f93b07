"""Whatever is written is written aside: so what `test_files.py` proves of one writer holds for every stage."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WRITERS = {
    "write_text", "write_bytes", "to_csv", "to_parquet", "to_json", "savefig", "save_file", "savez", "savez_compressed",
    "imwrite", "tofile", "memmap", "open_memmap", "copyfile", "copytree", "copy2",
}  # fmt: skip
TOLD = {  # what writes into a folder that its caller writes aside, or keeps what has come for the next attempt
    "src/uncertsam/data/raw/images.py": {"write_photo"},
    "src/uncertsam/data/raw/remote/_archives.py": {"_place"},
    "src/uncertsam/data/raw/remote/_download.py": {"fetch"},
    "src/uncertsam/data/raw/worlds/__init__.py": {"save"},
    "src/uncertsam/data/raw/worlds/organs.py": {"generate"},
    "src/uncertsam/data/sampling.py": {"_copy_images", "draw"},
    "src/uncertsam/inference/_maps.py": {"__init__"},
    "src/uncertsam/inference/predictions.py": {"_writing"},
    "src/uncertsam/models/store.py": {"_write_shards"},
    "src/uncertsam/tracking/models.py": {"keep"},
    "src/uncertsam/tracking/_record.py": {"_put"},
    # no stage: the record of `uncertsam verify`, and the curve that a training run goes on with, line by line
    "src/uncertsam/app/_regression_check.py": {"_observe", "_stored"},
    "src/uncertsam/pretraining/curve.py": {"__init__", "log"},
}


def name_of(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def writes(call: ast.Call) -> bool:
    """Whether this call makes or changes a file."""
    name, first = name_of(call.func), name_of(call.args[0]) if call.args else ""
    if name == "open":
        modes = [getattr(value, "value", "") for value in (*call.args, *(key.value for key in call.keywords))]
        return any(isinstance(mode, str) and 0 < len(mode) < 4 and set(mode) & set("wax+") for mode in modes)
    if name == "save":  # of a picture, a tensor, an array, a volume
        of = getattr(call.func, "value", None)
        return isinstance(of, ast.Call) or name_of(of) in {"np", "torch", "nibabel"} or first == "aside"
    return name in WRITERS and bool(call.args)


def careless(source: str) -> set[str]:
    """The functions that write outside of a block of `written_aside`."""
    found: set[str] = set()

    def visit(node: ast.AST, function: str, aside: bool) -> None:
        if isinstance(node, ast.FunctionDef):
            function, aside = node.name, False
        if isinstance(node, ast.With):
            aside |= any(name_of(n) == "written_aside" for item in node.items for n in ast.walk(item.context_expr))
        if isinstance(node, ast.Call) and writes(node) and not aside:
            found.add(function)
        for child in ast.iter_child_nodes(node):
            visit(child, function, aside)

    visit(ast.parse(source), "", False)
    return found


def test_nothing_is_written_but_aside():
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix(): careless(path.read_text("utf-8")) for path in sources}
    assert {path: functions for path, functions in found.items() if functions} == TOLD


@pytest.mark.parametrize(
    "line",
    [
        "table.to_csv(path)", "open(path, 'w')", "path.open(mode='ab')", "Image.fromarray(x).save(path)",
        "torch.save(x, path)", "figure.savefig(path)", "save_file(tensors, path)", "shutil.copyfile(a, b)",
    ],
)  # fmt: skip
def test_a_writer_outside_of_the_block_is_found(line):
    assert careless(f"def f():\n with written_aside(path) as aside:\n  pass\n {line}") == {"f"}
    assert careless(f"def f():\n with written_aside(path) as aside:\n  {line}") == set()
