"""Shares of a variance: per mask they add up to one, and the picture draws what the table says."""

import numpy as np
import pandas as pd
import pytest
from cells import write_maps

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, ImageRecord, Split
from uncertsam.experiments.decomposition.experiment import PARTS, decomposition, shares


def write_cell(folder, parts, count=6):
    index = pd.DataFrame({"image_id": range(count), "mask_id": range(count)})
    named = {f"part_{name}": values.astype(np.float32) for name, values in parts.items()}
    total = sum(parts.values(), np.zeros((count, 4, 4)))
    write_maps(folder, index, {"logits": total.astype(np.float32), "doubt": total.astype(np.float32), **named})


@pytest.fixture
def split(tmp_path):
    images = {k: ImageRecord(k, 4, 4, quality="human") for k in range(6)}
    return Split(tmp_path, {"synthetic": False}, images, {k: [Annotation(k, k, 1, {}, "x")] for k in range(6)})


@pytest.fixture
def cell(tmp_path, split):
    """A mask where the model is all, one without any uncertainty, and four where prompt has three quarters."""
    model, prompt = np.zeros((6, 4, 4)), np.zeros((6, 4, 4))
    model[0, 1, 2] = 0.1
    model[2:, 0, 0], prompt[2:, 3, 3] = 0.05, 0.15
    write_cell(tmp_path / "cats" / "combined_total", {"prompt": prompt, "model": model, "image": np.zeros((6, 4, 4))})
    return tmp_path


def test_shares_are_means_over_the_masks_that_have_any(cell, split):
    found = shares(cell, {"cats": split}, 100).set_index("part")["mean"]
    assert found["model"] == pytest.approx((1 + 4 * 0.25) / 5)
    assert found["prompt"] == pytest.approx(4 * 0.75 / 5) and found["image"] == 0
    assert found.sum() == pytest.approx(1.0) and list(found.index) == list(PARTS)


def test_the_interval_holds_the_mean(cell, split):
    found = shares(cell, {"cats": split}, 500)
    assert (found["low"] <= found["mean"]).all() and (found["mean"] <= found["high"]).all()


def test_the_table_beside_the_picture_is_what_is_drawn(cell, split, tmp_path):
    frame = shares(cell, {"cats": split}, 50)
    files = decomposition(frame, tmp_path / "decomposition")
    assert {path.suffix for path in files} == {".svg", ".png", ".csv"}
    drawn = pd.read_csv(tmp_path / "decomposition.csv")
    np.testing.assert_allclose(drawn["mean"], frame["mean"], atol=1e-6)
    assert "60%" in (tmp_path / "decomposition.svg").read_text()


def test_a_cell_without_parts_is_refused(tmp_path, split):
    write_cell(tmp_path / "cats" / "combined_total", {})
    with pytest.raises(UserError, match="tells no parts"):
        shares(tmp_path, {"cats": split})
