"""The page of verdicts: self-contained, escaped, and saying what its JSON says."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cells import long
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.base.files import write_json
from uncertsam.config.sections import Compare
from uncertsam.data.format import Annotation, ImageRecord, encode_rle, write_split
from uncertsam.report._claims import claims
from uncertsam.report.reproduction import (
    Judged,
    Sources,
    build,
    check_reproduction,
    gather,
    read_counts,
    reproduction_json,
)

KNOBS = Compare(metrics=["pearson"], references=["sam"], resamples=50, alpha=0.05, margin=0.01)
METHODS = ("sam", "laplace", "tta_train", "tta_hue", "prompt", "variance")


def write_set(root: Path, name: str, synthetic: bool) -> None:
    (root / name / "test" / "images").mkdir(parents=True)
    mask = np.ones((4, 4), bool)
    for k in range(6):
        Image.new("RGB", (4, 4)).save(root / name / "test" / "images" / f"{k:08d}.jpg")
    records = [ImageRecord(k, 4, 4, quality="human") for k in range(6)]
    info = {"dataset": name, "synthetic": synthetic, "adapter": "folder"}
    write_split(root / name / "test", info, records, [Annotation(k, k, 16, encode_rle(mask)) for k in range(6)])


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Sources:
    """Photos of four sets with markup in a name, no controls."""
    root, rng = tmp_path_factory.mktemp("run"), np.random.default_rng(0)
    names = ["a <b>", "reef", "roads", "rocks"]
    parts = []
    for name in names:
        write_set(root / "benchmark", name, False)
        noise = rng.normal(0, 0.01, 6)
        for place, method in enumerate(METHODS):
            frame = pd.DataFrame({"dataset": name, "image_id": range(6), "mask_id": range(6), "method": method})
            values = {"pearson": 0.9 - 0.05 * place, "brier": 0.1, "iou": 0.8}
            parts += [long(frame.assign(metric=k, value=v + noise)) for k, v in values.items()]
        network = frame.assign(metric="pearson", value=0.5 + noise)  # the last method's, by the measure of the claims
        parts.append(long(network, measure="log_variance"))
    pd.concat(parts, ignore_index=True).to_parquet(root / "results.parquet")
    params = {"model": {"name": "sam2_nano"}}
    return Sources(root / "results.parquet", root / "benchmark", names, "test", params=params)


@pytest.fixture(scope="module")
def judged(sources) -> Judged:
    return Judged.of(gather(sources, KNOBS, 0))


def test_every_claim_stands_on_the_page_with_its_rule_and_verdict(judged, tmp_path) -> None:
    build(judged, "params 1a", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    for key in claims():
        assert f'id="{key}"' in text
    assert text.count("reproduces</span>") >= judged.counts["reproduces"] > 0
    assert "a &lt;b&gt;" in text.lower() and "a <b>" not in text.lower()
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text) and "<script" not in text
    assert "controls.parquet" in text and "params 1a" in text


def test_the_json_says_what_was_judged_and_passes_its_own_check(judged, tmp_path) -> None:
    write_json(tmp_path / "reproduction.json", reproduction_json(judged))
    content = json.loads((tmp_path / "reproduction.json").read_text())
    assert content == json.loads(json.dumps(reproduction_json(judged)))
    assert check_reproduction(content) == [] and read_counts(tmp_path / "reproduction.json") == judged.counts
    assert content["claims"]["laplace_aligns_best"]["verdict"] == "reproduces"
    assert content["claims"]["ensemble_improves"]["verdict"] == "cannot be told here"
    assert len(content["table_1"]) == 10 and sum(judged.counts.values()) == len(claims())


def test_damage_to_the_verdicts_is_found_and_named(judged) -> None:
    content = json.loads(json.dumps(reproduction_json(judged)))
    content["claims"]["laplace_aligns_best"]["verdict"] = "surely"
    content["claims"]["mine"] = content["claims"].pop("benchmark_size")
    told = "\n".join(check_reproduction(content))
    for line in ("'surely' is no verdict", "no claim 'mine'", "'benchmark_size' is missing", "counts are not"):
        assert line in told
    assert check_reproduction({}) and check_reproduction([])


def test_missing_and_broken_inputs_are_clear_errors(sources, tmp_path) -> None:
    with pytest.raises(UserError, match=r"none\.parquet"):
        gather(replace(sources, controls=tmp_path / "none.parquet"), KNOBS, 0)
    (tmp_path / "bad.json").write_text("{")
    for name in ("bad.json", "none.json"):
        with pytest.raises(UserError, match=name):
            read_counts(tmp_path / name)
