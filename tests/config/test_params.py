"""params.yaml is read strictly, and the committed one is the demo profile."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from uncertsam.app._profiles import complete
from uncertsam.base.errors import UserError
from uncertsam.base.registry import load_method, method_names
from uncertsam.config.params import Config
from uncertsam.experiments.clicking.table import summary as summary_of_clicks
from uncertsam.experiments.controls.table import summary as summary_of_controls
from uncertsam.methods.joint.combination import CombinationParams


def demo(root: Path) -> dict:
    return yaml.safe_load((root / "params.yaml").read_text())


def test_the_committed_params_are_the_demo_profile(root):
    if demo(root)["base"]["profile"] != "demo":
        pytest.skip("the current profile is not the demo")
    assert (root / "params.yaml").read_text() == (root / "profiles" / "demo.yaml").read_text()


@pytest.mark.parametrize("profile", ["demo", "paper"])
def test_every_section_of_a_profile_is_valid(root, profile):
    config = Config.of(complete(profile, root / "profiles"))
    assert sorted(config.methods) == method_names() and config.model.name == config.base.model
    for name, section in config.methods.items():
        assert isinstance(section, load_method(name).Params)
    config.combination(CombinationParams)


def test_reading_the_parameters_imports_nothing_heavy(root):
    """Light stages read them too; a method's own are checked when they are asked for."""
    code = "import sys; from uncertsam.config.params import Config; Config.read(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_missing_section_is_named(root):
    values = demo(root)
    del values["encode"]
    with pytest.raises(UserError, match=r"section 'encode' is missing.*Add it"):
        Config.of(values)


def test_a_method_that_a_profile_sets_to_null_is_left_out_and_the_others_keep_their_order(root, tmp_path):
    for name in ("demo", "paper"):
        shutil.copy(root / "profiles" / f"{name}.yaml", tmp_path)
    (tmp_path / "mine.yaml").write_text("methods: {laplace: null, sam: {gate: true}}")
    default, mine = (complete(name, tmp_path)["methods"] for name in ("demo", "mine"))
    assert list(mine) == [name for name in default if name != "laplace"]
    assert mine["sam"] == default["sam"] | {"gate": True}


def test_an_unknown_section_is_named_with_a_suggestion(root):
    values = demo(root) | {"tabulat": {}}
    with pytest.raises(UserError, match=r"unknown section 'tabulat'.*'tabulate'"):
        Config.of(values)


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("tabulate", "resample", 3, r"tabulate\.resample: extra inputs.*'resamples'"),
        ("tabulate", "resamples", "many", r"tabulate\.resamples: input should be a valid integer"),
        ("ablate", "datasets", ["dog"], r"ablate\.datasets: there is no 'dog'"),
        ("ablate", "calibrate", "everythin", r"ablate\.calibrate: there is no 'everythin'.*'everything'"),
        ("ablate", "samples", [5, 0], r"ablate\.samples\.1"),
        ("ablate", "temperatures", [], r"ablate\.temperatures"),
        ("encode", "dtype", "int8", r"encode\.dtype: input should be 'float32' or 'bfloat16'"),
        ("engine", "backend", "threads", r"engine\.backend: input should be 'serial', 'processes' or 'ray'"),
        ("engine", "workers", 0, r"engine\.workers: input should be greater than 0"),
        ("engine", "worker", 2, r"engine\.worker: extra inputs.*'workers'"),
        ("compare", "references", ["smm"], r"compare.references: there is no 'smm'.*'sam'"),
        ("compare", "alpha", 1.5, "compare.alpha"),
        ("time", "masks", 0, "time.masks"),
        ("clicking", "start", "boks", r"clicking\.start: input should be 'box' or 'click'"),
        ("clicking", "clicks", 0, r"clicking\.clicks"),
        ("clicking", "methods", ["smm"], r"clicking\.methods: there is no 'smm'.*'sam'"),
        ("clicking", "datasets", ["dog"], r"clicking\.datasets: there is no 'dog'"),
        ("guarantees", "alphas", [0.1, 1.0], r"guarantees\.alphas\.1: input should be less than 1"),
        ("guarantees", "calibrate", 0, r"guarantees\.calibrate"),
        ("guarantees", "methods", ["smm"], r"guarantees\.methods: there is no 'smm'.*'sam'"),
        ("guarantees", "datasets", ["dog"], r"guarantees\.datasets: there is no 'dog'"),
    ],
)
def test_a_wrong_key_or_value_is_named(root, section, key, value, says):
    values = demo(root)
    values[section][key] = value
    with pytest.raises(UserError, match=says):
        Config.of(values)


@pytest.mark.parametrize(
    ("section", "name", "says"),
    [
        ("data", "all", "'all' and 'pooled' stand for several datasets in the reports.*another name"),
        ("data", "Pooled", "'Pooled'"),
        ("subset", "all", "'all'"),
        ("data", "Camouflage", "'camouflage' and 'Camouflage' are the same but for their case"),
        ("subset", "camouflage", "the same but for their case"),
        *[("data", odd, "names are of letters a to z") for odd in ("a/b", "a.b", "..", "", "-x", "my cats", "@", 7)],
    ],
)
def test_a_name_that_no_dataset_can_have_is_refused(root, section, name, says):
    values = demo(root)
    values[section][name] = values[section][next(iter(values[section]))]
    with pytest.raises(UserError, match=says):
        Config.of(values)


def test_no_report_takes_a_dataset_for_several_together():
    """Whoever builds a table without params.yaml is refused too, before two values stand under one key."""
    rows = {"dataset": ["all"], "method": "sam", "metric": "iou", "region": "full", "value": 0.5}
    for made in (
        lambda table: summary_of_clicks(table, {}, 20, 0),
        lambda table: summary_of_controls(table, {}, pd.DataFrame(), 20, 0),
    ):
        with pytest.raises(UserError, match="stand for several datasets"):
            made(pd.DataFrame(rows))


def test_a_missing_key_is_named(root):
    values = demo(root)
    del values["base"]["seed"]
    with pytest.raises(UserError, match=r"base\.seed: field required"):
        Config.of(values)


def test_a_file_that_is_not_yaml_is_named(tmp_path):
    (tmp_path / "params.yaml").write_text("a: [1,")
    with pytest.raises(UserError, match="is not YAML"):
        Config.read(tmp_path / "params.yaml")
