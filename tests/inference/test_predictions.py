"""Cells are written as their answers come: what is read is what was answered, memory does not grow, nothing is half."""

import gc
import weakref
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from uncertsam.base.errors import UserError
from uncertsam.base.registry import load_method
from uncertsam.base.rng import torch_generator
from uncertsam.inference import predictions
from uncertsam.inference._maps import MapWriter
from uncertsam.inference.predictions import PredictionTask, predict_cell
from uncertsam.models.store import StreamedEmbeddings

META = {"method": "sam", "dataset": "golden"}


def some_maps(rows, seed=0, names=("uncertainty", "logits")):
    return {name: torch.randn(rows, 3, 5, generator=torch_generator(seed, name)) for name in names}


@pytest.fixture
def cell(nano, golden_split, sections):
    kind = load_method("sam")
    method = kind.build(kind.Params(**sections.get("sam", {})), nano, None)
    return PredictionTask(nano, method, StreamedEmbeddings(nano, torch.float32), golden_split, "golden", 0)


def test_a_file_of_maps_is_the_librarys_whatever_the_portions(tmp_path):
    whole = some_maps(7)
    save_file({name: whole[name] for name in sorted(whole)}, tmp_path / "library.safetensors")
    for portions in ([7], [1, 4, 2], [0, 3, 4]):
        with MapWriter(tmp_path / "ours.safetensors", 7) as writer:
            for part in zip(*(values.split(portions) for values in whole.values()), strict=True):
                writer.add(dict(zip(whole, part, strict=True)))
        assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "library.safetensors").read_bytes()
        torch.testing.assert_close(load_file(tmp_path / "ours.safetensors"), whole, rtol=0, atol=0)


@pytest.mark.parametrize(
    "wrong", [some_maps(3), some_maps(1, names=("logits",)), {**some_maps(1), **some_maps(2, names=("logits",))}]
)
def test_other_maps_or_too_many_rows_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="does not go on"), MapWriter(tmp_path / "maps.safetensors", 4) as writer:
        writer.add(some_maps(2))
        writer.add(wrong)


def test_missing_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="1 of 2 rows"), MapWriter(tmp_path / "maps.safetensors", 2) as writer:
        writer.add(some_maps(1))


def test_answers_are_gone_once_they_are_written(cell, tmp_path, monkeypatch):
    """Memory does not grow with the images: nobody holds an image's answers when the next shard is asked for."""
    monkeypatch.setattr(predictions, "IMAGES", 1)
    seen: list[weakref.ref] = []

    def each(work, shards):
        for shard in shards:
            gc.collect()
            assert all(answer() is None for answer in seen[:-1])
            found = work(shard)
            seen.append(weakref.ref(found[0][1].logits))
            yield found
            del found

    index = predict_cell(cell, tmp_path / "cell", META, each)
    assert len(seen) == len(cell.split) > 2
    assert len(index) == len(load_file(tmp_path / "cell" / "maps.safetensors")["logits"])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "cell" / "index.parquet"), index)


def test_a_split_without_masks_is_refused_and_nothing_is_written(cell, tmp_path):
    bare = replace(cell, split=replace(cell.split, annotations={image.id: [] for image in cell.split}))
    with pytest.raises(UserError, match="no masks"):
        predict_cell(bare, tmp_path / "cell", META)
    assert list(tmp_path.iterdir()) == []


def test_a_cell_whose_answers_break_off_or_are_no_numbers_is_not_there(cell, tmp_path):
    def broken(work, shards):
        yield work(shards[0])[:1]
        raise OSError("gone")

    def nan(work, shards):
        for shard in shards:
            found = work(shard)
            with torch.inference_mode():
                found[-1][1].logits[0, 0, 0] = torch.nan
            yield found

    with pytest.raises((OSError, UserError), match="gone"):
        predict_cell(cell, tmp_path / "cell", META, broken)
    with pytest.raises(UserError, match="sam gave NaN or infinity on golden"):
        predict_cell(cell, tmp_path / "cell", META, nan)
    assert list(tmp_path.iterdir()) == []
