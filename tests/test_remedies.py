"""Whatever an error advises exists: commands and their options, stages, keys of params.yaml, arguments, extras.

Remedies are read from the source: the literals of every UserError and Diagnosis, and those that they name. What stands
in a placeholder is unknown here and reads §. `test_broken_files` does what is advised.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main
import yaml
from dvc.cli.parser import get_main_parser
from pydantic import BaseModel
from staging import ROOT

from uncertsam.base.registry import load_method, method_names
from uncertsam.cli import app
from uncertsam.config.params import Config
from uncertsam.config.sections import Dataset, Subset
from uncertsam.data.raw import adapters
from uncertsam.data.splits import SPLITS
from uncertsam.predictor import UncertaintyPredictor

RAISED = {"UserError", "FittedPart", "Diagnosis", "JudgedClaim", "StepCheck"}
SOURCES = [path for part in ("src", "stages", "benchmarks") for path in sorted((ROOT / part).rglob("*.py"))]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def literals(node: ast.AST) -> Iterator[str]:
    """The texts in a piece of source, placeholders as §."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else "§" for v in node.values)
        node = ast.Tuple([v.value for v in node.values if isinstance(v, ast.FormattedValue)], ast.Load())
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def remedies(path: Path) -> Iterator[str]:
    """What a module's errors say, with the variables, constants and functions of it that they are put together from."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    given: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for name in (n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)):
                given.setdefault(name, []).append(node.value)
        elif isinstance(node, ast.FunctionDef):
            given.setdefault(node.name, []).extend(n for n in ast.walk(node) if isinstance(n, ast.Return))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    waiting: list[ast.AST] = [arg for call in calls if call.func.id in RAISED for arg in call.args]
    waiting += [arg for call in calls if call.func.id == "Schema" for arg in call.args[1:2]]  # what its errors advise
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        yield from literals(node)
        for name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & given.keys() - seen:
            seen.add(name)
            waiting += given[name]


FORMAT = re.compile(r"uncertsam .*, version \d")  # what a file of ours says that it is
SAID = sorted({" ".join(t.split()) for path in SOURCES for t in remedies(path) if " " in t and not FORMAT.fullmatch(t)})


def named(pattern: str) -> list[str]:
    """What the pattern's one group finds in the remedies, but for placeholders."""
    return sorted({found for text in SAID for found in re.findall(pattern, text) if found.strip("§")})


def parameters(command: click.Command) -> Iterator[str]:
    """The options of a command and of all below it."""
    for parameter in command.params:
        yield from parameter.opts
    for below in getattr(command, "commands", {}).values():
        yield from parameters(below)


COMMANDS = typer.main.get_command(app)
SECTIONS = {field.alias or name: field.annotation for name, field in Config.model_fields.items()}
NAMED = {"data": Dataset, "subset": Subset}  # by the names that they give
MODELS: dict[str, type[BaseModel]] = {name: model for name, model in SECTIONS.items() if inspect.isclass(model)} | NAMED
METHODS: list[type[BaseModel]] = [load_method(name).Params for name in method_names()]
ADAPTERS = [importlib.import_module(f"{adapters.__name__}.{m.name}") for m in pkgutil.iter_modules(adapters.__path__)]


def test_the_remedies_are_found():
    assert len(SAID) > 200 and any("`uncertsam fit" in text for text in SAID)


def test_they_are_in_plain_words():
    assert not [text for text in SAID if re.search(r"\bmend", text, re.IGNORECASE)]


@pytest.mark.parametrize("words", named(r"\buncertsam ((?:track )?[a-z][a-z-]+)(?=[ `,.:;)]|$)"))
def test_a_command_exists(words):
    command = COMMANDS
    for word in words.split():
        command = command.commands.get(word) or pytest.fail(f"there is no command uncertsam {words}")


@pytest.mark.parametrize("option", named(r"(?<![\w-])(--[a-z][\w-]*)"))
def test_an_option_exists(option):
    benchmarks = importlib.import_module("benchmarks.__main__")
    known = {*parameters(COMMANDS), *parameters(typer.main.get_command(benchmarks.app)), "--force"}  # also dvc's
    assert option in known


@pytest.mark.parametrize("name", named(r"\bthe (\w+)(?: and \w+)? stages?\b") + named(r" and (\w+) stages\b"))
def test_a_stage_exists(name):
    assert name in STAGES


@pytest.mark.parametrize("name", named(r"stage \(or (\w+)\)"))
def test_another_stage_exists(name):
    assert name in STAGES


@pytest.mark.parametrize("key", named(rf"(?<![\w./])((?:{'|'.join(MODELS)})(?:\.[\w§-]+)+)"))
def test_a_key_of_the_parameters_exists(key):
    head, *parts = key.split(".")
    fields = MODELS[head].model_fields
    name = parts[1 if head in NAMED else 0] if len(parts) > (head in NAMED) else "§"
    assert name in {*fields, "§", "yaml"}


def test_what_stands_in_quotes_is_a_key_an_option_of_an_adapter_or_a_split():
    models = [*MODELS.values(), *METHODS, *(module.Params for module in ADAPTERS if hasattr(module, "Params"))]
    known = {key for model in models for key in model.model_fields} | {
        *SPLITS,
        *SECTIONS,
        *parameters_of_the_predictor(),
    }
    words = [word for word in named(r"`([a-z_]+)(?:: [^`]+)?`") if word not in ("name", "uncertsam")]
    assert [word for word in words if word not in known] == []


def parameters_of_the_predictor() -> set[str]:
    public = [call for name, call in inspect.getmembers(UncertaintyPredictor, callable) if name[0] != "_"]
    return {name for call in [UncertaintyPredictor, *public] for name in inspect.signature(call).parameters}


@pytest.mark.parametrize("name", named(r"(?<![\w.])([a-z_]+)=(?=[^=]|$)"))
def test_an_argument_exists(name):
    assert name in parameters_of_the_predictor()


@pytest.mark.parametrize("target", named(r"`make (\w+)`"))
def test_a_target_of_make_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("extra", named(r"pip install '?uncertsam\[(\w+)\]"))
def test_an_extra_exists(extra):
    assert extra in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize("verb", named(r"\bdvc ([a-z]+)\b"))
def test_a_command_of_dvc_exists(verb):
    main = get_main_parser()
    assert verb in {name for action in main._actions for name in (action.choices or ())}
