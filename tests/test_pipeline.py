"""dvc.yaml is the method section: it names every script, every source and every knob that a result depends on."""

import ast
import json
import re
from functools import reduce
from itertools import product
from operator import getitem
from pathlib import Path

import pytest
import yaml

from uncertsam.base.registry import load_method, method_names
from uncertsam.experiments.contract import experiment_named, experiments, schemas

ROOT = Path(__file__).resolve().parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.fixture(scope="module")
def pipeline() -> dict:
    return STAGES


@pytest.fixture(scope="module")
def params() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def body(stage: dict) -> dict:
    return stage.get("do", stage)


def knobs(stage: dict) -> set[str]:
    """The keys of params.yaml that a stage depends on."""
    return {key for key in body(stage).get("params", []) if isinstance(key, str)}


def outs(stage: dict) -> list[str]:
    written = body(stage)["outs"] + body(stage).get("metrics", [])
    return [next(iter(out)) if isinstance(out, dict) else out for out in written]


def script_of(stage: dict) -> str:
    return next(word for word in body(stage)["cmd"].split() if word.startswith("stages/"))


def test_every_stage_depends_on_its_own_script(root, pipeline):
    for name, stage in pipeline.items():
        script = script_of(stage)
        assert script in body(stage)["deps"], name
        assert (root / script).is_file(), name


def test_every_script_is_a_stage(root, pipeline):
    named = {script_of(stage) for stage in pipeline.values()}
    assert named == {f"stages/{path.name}" for path in (root / "stages").glob("*.py")}


def test_every_source_that_a_stage_depends_on_exists(root, pipeline):
    for name, stage in pipeline.items():
        for path in body(stage)["deps"]:
            if path.startswith("src/") and "$" not in path:
                assert (root / path).exists(), f"{name}: {path}"


def test_every_literal_parameter_exists(pipeline, params):
    for name, stage in pipeline.items():
        for key in knobs(stage):
            value = params
            for part in key.split(".") if "$" not in key else []:
                assert part in value, f"{name}: {key}"
                value = value[part]


def test_every_method_is_compared(params):
    """`method_names` are the files; params.yaml must name each of them."""
    assert sorted(params["methods"]) == method_names()


def test_stages_that_ask_methods_depend_on_all_their_parameters(root, pipeline):
    """A stage that reads `config.methods` says so, whichever of them it asks."""
    for name, stage in pipeline.items():
        text = (root / script_of(stage)).read_text()
        if "config.methods" in text or "built(config" in text:
            assert "methods" in knobs(stage), name


def test_the_answers_depend_on_every_fitted_part(pipeline, params):
    fitted = {load_method(method).FITTED for method in params["methods"]} - {None}
    for stage, model in {"predict": "item", "click": "base", "time": "base"}.items():
        needed = {f"data/fitted/${{{model}.model}}/{name}" for name in fitted}
        assert needed <= set(body(pipeline[stage])["deps"]), stage


def test_every_path_of_a_command_is_a_dependency_or_an_output(pipeline):
    for name, stage in pipeline.items():
        known = [*body(stage)["deps"], *outs(stage)]
        for word in body(stage)["cmd"].split():
            if word.startswith(("data/", "reports/", "checkpoints/")) and name != "pretrain":
                related = (k for k in known if k.startswith(word) or word.startswith(k))
                assert any(related), f"{name}: {word}"


def tables_named(text: str) -> set[str]:
    """What a script reads and writes of the reports: by name, or as the tables of experiments."""
    found = set(re.findall(r'(?:(?<!/ )|(?<=reports / ))"(\w+\.(?:csv|json|parquet))"', text))
    if ran := re.search(r'run_experiment\("(\w+)"', text):
        experiment = experiment_named(ran[1])
        verdict = Path(experiment.schemas[-1].name).with_suffix(".json").name
        found |= {schema.name for schema in experiment.schemas} | ({verdict} if experiment.verdict else set())
    if ".figures.items()" in text:
        found |= {figure.table for each in experiments() for figure in each.figures.values() if not figure.made}
    return found | {name for name in schemas() if "*schemas()" in text and name.endswith(".csv")}


def test_a_stage_that_is_given_the_reports_declares_which_it_reads_and_writes(root, pipeline):
    """Their names stand in its script, or in the experiments that it goes through: those that it declares, no other."""
    for name, stage in pipeline.items():
        words = body(stage)["cmd"].split()
        if "--reports" in words:
            found = tables_named((root / script_of(stage)).read_text())
            known = {path for path in [*body(stage)["deps"], *outs(stage)] if path.startswith("reports/")}
            told = {path for word in words for path in (word, word.replace(".html", ".json"))} | {"reports/figures"}
            assert known - told == {f"reports/{file}" for file in found} - told, name


def test_the_lock_holds_the_stages_that_there_are_and_no_other(root, pipeline, params):
    if params["base"]["profile"] != "demo":
        pytest.skip("the current profile is not the demo, of which the lock is")
    live = set()
    for name, stage in pipeline.items():
        axes = [*stage.get("matrix", {}).values(), *([stage["foreach"]] if "foreach" in stage else [])]
        members = product(*(reduce(getitem, axis.strip("${}").split("."), params) for axis in axes))
        live |= {f"{name}@{'-'.join(member)}" for member in members} if axes else {name}
    assert set(yaml.safe_load((root / "dvc.lock").read_text())["stages"]) == live


def test_a_colour_or_a_section_of_the_page_reruns_only_what_draws_and_prints(root, pipeline):
    """What is drawn and printed makes no number: neither is trained nor measured again for it."""
    package = root / "src" / "uncertsam"
    looks = [*package.glob("experiments/*/figure.py"), *package.glob("experiments/*/section.py")]
    looks = [path.relative_to(root).as_posix() for path in [*looks, package / "figures" / "style.py"]]
    assert len(looks) > 3
    for name in set(pipeline) - {"figures", "report"}:
        covered = [p for p in looks for dep in body(pipeline[name])["deps"] if p == dep or p.startswith(f"{dep}/")]
        assert not covered, name


def test_the_worlds_are_hard_enough_to_tell_methods_apart(root, params):
    """Plain box mIoU between 0.5 and 0.95, at least 5 % wrong pixels in the dilated region."""
    if params["base"]["profile"] != "demo":
        pytest.skip("the current profile is not the demo, whose worlds this is about")
    means = json.loads((root / "reports" / "metrics.json").read_text())
    for world in ("soft_shadows", "camouflage"):
        assert 0.5 <= means[world]["sam"]["iou"] <= 0.95
        assert means[world]["sam"]["error_rate_roi"] >= 0.05


# no number depends on them
HARMLESS = {
    "base/checkout",
    "base/errors",
    "base/files",
    "config/",
    "base/stage",
    "tracking/",
    "base/registry",
    "statistics/schema",
    "app/experiments",
    "experiments/contract",
}
PASSED = {"contract", "bench", "experiment"}  # they bring experiments, models and pictures together, and use none alone
DRAWN = {"figure.py", "section.py"}


def imported(root: Path, file: Path) -> set[Path]:
    """The files of our package that a file imports, anywhere in it, and what those import in turn."""
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        tree = ast.parse(waiting.pop().read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("uncertsam"):
                base = root / "src" / Path(*node.module.split("."))
                named = [base / f"{alias.name}.py" for alias in node.names]
                for path in [base.with_suffix(".py"), base / "__init__.py", *named]:
                    if path.is_file() and path not in found:
                        found.add(path)
                        if path.parent.name != "tracking" and path.stem not in PASSED:  # that packs models
                            waiting.append(path)
    return found


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_every_source_that_it_imports(root, pipeline, params, name):
    """Otherwise a changed source would leave old numbers in place."""
    stage = body(pipeline[name])
    methods = params["methods"] if name in ("predict", "click", "time") else []
    files = [root / script_of(stage), *(Path(load_method(method).__file__) for method in methods)]
    if ran := re.search(r'run_experiment\("(\w+)"', files[0].read_text()):
        folder = root / "src" / "uncertsam" / "experiments" / ran[1]
        files += [path for path in folder.glob("*.py") if path.name not in DRAWN]
    needed = set(files[1 + len(methods) :]).union(*(imported(root, f) for f in files if f.stem not in PASSED))
    paths = {path.relative_to(root / "src" / "uncertsam").with_suffix("").as_posix() for path in needed}
    paths = {p for p in paths if not p.startswith(tuple(HARMLESS)) and not p.endswith("__init__")}
    listed = [dep.removeprefix("src/uncertsam/").removesuffix(".py") for dep in stage["deps"]]
    missing = sorted(p for p in paths if not any(p == dep or p.startswith(f"{dep}/") for dep in listed))
    assert not missing
