"""Whatever a page of docs/ names in backticks is there: paths, parameters with their values, stages, commands.

Only what looks like one of these is looked up; a word alone may mean anything.
"""

import re
import shlex
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from documents import blocks
from staging import ROOT

from uncertsam.app._profiles import complete, names
from uncertsam.base.registry import method_names
from uncertsam.catalogue import METRICS
from uncertsam.cli import app
from uncertsam.config.arms import refined_methods
from uncertsam.report._figures_section import PANEL, captions

PAGES = sorted((ROOT / "docs").glob("*.md"))
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
PROFILES = {name: complete(name, ROOT / "profiles") for name in names(ROOT / "profiles")}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"([a-z_]+(?:\.[\w<>-]+)+)(?:: (.+))?")
FILES = {"params.yaml", "dvc.yaml"}
FOLDERS = {"src", "stages", "tests", "docs", "profiles", "reports", "data", "requirements", "checkpoints", ".ci"}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def spans(page: Path) -> list[str]:
    """What stands in backticks, outside of blocks; lines may break inside."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", FENCE.sub("", text_of(page)))]


def lines(page: Path) -> list[str]:
    """Commands: the blocks of shell, and spans that begin like one."""
    blocks = [text.replace("\\\n", " ") for kind, text in FENCE.findall(text_of(page)) if kind == "sh"]
    shell = [line for text in blocks for line in text.splitlines() if line.strip()]
    return shell + [span for span in spans(page) if span.split()[0] in ("uncertsam", "dvc", "make") and " " in span]


def outputs() -> list[str]:
    """What stages write, names that vary as *."""
    found = []
    for stage in STAGES.values():
        body = stage.get("do", stage)
        for out in [*body["outs"], *body.get("metrics", [])]:
            found.append(re.sub(r"\$\{.*?\}", "*", next(iter(out)) if isinstance(out, dict) else out))
    return found


def is_there(path: str, page: Path) -> bool:
    """In the repository, written by a stage or in what it writes, made by the page, or where a profile has raw data."""
    name = path.rstrip("/")
    if (ROOT / name).exists() or name in blocks(page.name):
        return True
    sources = {entry["source"] for profile in PROFILES.values() for entry in profile["data"].values()}
    above = [name, *map(str, Path(name).parents)]
    written = [out for out in outputs() if any(Path(part).match(out) for part in above if part.count("/"))]
    around = {part for out in outputs() for part in Path(out).parents if len(part.parts) > 1}
    return bool(written) or name in sources or any(Path(name).match(str(part)) for part in around)


def at(values: Any, key: str) -> Any:
    """A key with dots; <name> stands for any. KeyError where it is not there."""
    return reduce(lambda v, part: next(iter(v.values())) if part[0] == "<" else v[part], key.split("."), values)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_is_there(page: Path) -> None:
    named = [s for s in spans(page) if s in FILES or (s.partition("/")[0] in FOLDERS and "/" in s and " " not in s)]
    assert [path for path in named if not is_there(path, page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_parameter_is_there_and_has_the_value_that_is_told(page: Path) -> None:
    """Values are the paper's on its page, and the demo's elsewhere."""
    values = PROFILES["paper" if page.stem == "paper" else "demo"]
    found = [match for span in spans(page) if (match := KEY.fullmatch(span)) and match[1].split(".")[0] in values]
    for match in found:
        assert match[2] is None or at(values, match[1]) == yaml.safe_load(match[2]), match[0]
        at(values, match[1])
    assert found or page.stem not in ("paper", "reading_the_figures")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_there_with_its_options(page: Path) -> None:
    for line in lines(page):
        words = shlex.split(line.partition(" > ")[0])
        if words[0] == "make":
            assert f"\n{words[1]}: " in text_of(ROOT / "Makefile"), line
        elif words[:2] == ["dvc", "repro"]:
            assert all(word.partition("@")[0] in STAGES for word in words[2:] if word[0] != "-"), line
        elif words[0] == "uncertsam":
            told = ours(words[1:])
            assert {word for word in words if word.startswith("--")} <= told, line


def ours(words: list[str]) -> set[str]:
    """The options of a command of ours, a group's included. KeyError where there is no such command."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    return {name for option in command.params for name in option.opts}


def test_every_figure_is_explained_in_the_pages_order() -> None:
    page = text_of(ROOT / "docs" / "reading_the_figures.md")
    heads = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert set(heads) == {*captions(), f"{PANEL}DATASET"} and len(heads) == len(set(heads))
    for head, part in zip(heads, re.split(r"^## \w+$", page, flags=re.MULTILINE)[1:], strict=True):
        found = [part.find(word) for word in ("Shows", "Good: ", "Cannot show: ")]
        assert found[0] > -1 and all(a < b for a, b in pairwise(found)), head


def test_the_papers_page_has_every_row_of_table_1_and_every_stage() -> None:
    from uncertsam.report._published import REFINED, read_published

    page = text_of(ROOT / "docs" / "paper.md")
    table = read_published()
    table = table[table["method"].isin(["sam", *REFINED])]
    for method, source in table[["method", "source"]].drop_duplicates().itertuples(index=False):
        assert re.search(rf"^\| {re.escape(source.removeprefix('Table 1: '))} \| `{method}` \|", page, re.MULTILINE)
    plumbing = {"acquire", "identify", "encode", "encode_subset", "pretrain", "time", "fit_combination"}
    assert {name for name in STAGES if f"`{name}`" not in page} <= plumbing


def test_methods_and_metrics_on_the_papers_page_exist() -> None:
    arms = PROFILES["paper"]["train_fusion"]["arms"]
    known = {*refined_methods(arms, PROFILES["paper"]["refine"]["steps"]), *method_names(), *METRICS, *STAGES}
    kind = re.compile(r"(?:fusion|variance|boundary|truth|laplace|tta)_[\w.]+")
    named = {span for span in spans(ROOT / "docs" / "paper.md") if kind.fullmatch(span)}
    assert named and named <= known
