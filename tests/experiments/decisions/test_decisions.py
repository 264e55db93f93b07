"""With several models: which rows are judged, and which of them the verdict reads."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from usam_worlds import random_observed

from uncertsam.experiments.decisions.run import _cases
from uncertsam.experiments.decisions.table import DECIDED, DECISIONS, NUMBERS, verdict
from uncertsam.methods.usam.heads import Heads, head_names
from uncertsam.methods.usam.tokens import TokenStore, write_tokens

MODELS = [SimpleNamespace(name=f"sam2_{name}", digest=digit * 64) for name, digit in (("nano", "1"), ("large", "2"))]


def cases(folder: Path, models: int) -> pd.DataFrame:
    """Of two shards of five and three objects."""
    parts = [random_observed(n, models=models, seed=n) for n in (5, 3)]
    facts = {"clusters": {str(image): f"scene {image // 2}" for image in range(3)}}
    write_tokens(folder, parts, MODELS[:models], "float32", facts)
    names = head_names(["nano", "large"][:models], "deployable")
    store = TokenStore(folder, MODELS[:models])
    return pd.concat(_cases(store, "deployable", Heads(names, 6).draw(0)), ignore_index=True)


def test_every_object_is_a_case_of_every_model_and_decision(tmp_path):
    found = cases(tmp_path / "tokens", 2)
    assert (found.groupby(["model", "decision"]).size() == 8).all() and len(found) == 8 * 2 * 4
    assert set(found["cluster"]) == {"scene 0", "scene 1"}
    assert (found.loc[found["decision"] == "segmentation", "end"] == 1).all()


def test_one_model_has_no_decision_for_another(tmp_path):
    assert set(cases(tmp_path / "tokens", 1)["decision"]) == {*DECISIONS} - {"model"}


def test_the_verdict_reads_the_largest_model_for_segmentation_and_else_the_smallest():
    rows = [
        ["deployable", "reef", "cats", model, decision, "usam", auc, 0.5, np.nan, np.nan, 7]
        for model, auc in (("sam2_nano", 0.1), ("sam2_large", 0.9))
        for decision in DECISIONS
    ]
    found = verdict(pd.DataFrame(rows, columns=list(DECIDED.columns)))["deployable"]["cats"]
    assert {name: scores["usam"]["auc"] for name, scores in found.items()} == pytest.approx(
        {"model": 0.1, "prompt": 0.1, "task": 0.1, "segmentation": 0.9}
    )
    assert [*found["task"]["usam"]] == NUMBERS and found["task"]["usam"]["lo"] is None
