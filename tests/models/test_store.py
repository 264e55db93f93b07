"""What the store gives back is what the encoder said."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, ImageRecord, encode_rle, read_split, write_split
from uncertsam.models.checkpoints import build_network
from uncertsam.models.sam2 import Sam2Model
from uncertsam.models.store import encode_dataset, open_embeddings


@pytest.fixture(scope="module")
def model() -> Sam2Model:
    torch.manual_seed(0)
    return Sam2Model(build_network("sam2_nano").eval(), "sam2_nano", "this one")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three test images and one of the pretrain split."""
    rng, mask = np.random.default_rng(0), np.eye(40, 50, dtype=bool)
    for name, ids in (("test", (1, 2, 3)), ("pretrain", (4,))):
        root = tmp_path / "set" / name
        (root / "images").mkdir(parents=True)
        records = [ImageRecord(i, 50, 40) for i in ids]
        for record in records:
            pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
            Image.fromarray(pixels).save(root / "images" / record.file_name)
        write_split(root, {}, records, [Annotation(i, i, int(mask.sum()), encode_rle(mask)) for i in ids])
    return tmp_path / "set"


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.1)])
def test_stored_embeddings_equal_streamed_ones(model, dataset, tmp_path, dtype, tolerance):
    encode_dataset(model, dataset, tmp_path / "stored", dtype, 2, stream=False)
    encode_dataset(model, dataset, tmp_path / "streamed", "float32", 2, stream=True)
    split = read_split(dataset / "test")
    stored, streamed = (open_embeddings(tmp_path / kind, model) for kind in ("stored", "streamed"))
    for image in split:
        ours, theirs = stored.read(split, image.id), streamed.read(split, image.id)
        assert all(each.dtype == torch.float32 for each in ours.maps)
        torch.testing.assert_close(ours.maps, theirs.maps, rtol=tolerance, atol=tolerance)


def test_images_of_the_pretrain_split_are_never_encoded(model, dataset, tmp_path):
    encode_dataset(model, dataset, tmp_path / "stored", "float32", 2, stream=False)
    assert set(json.loads((tmp_path / "stored" / "index.json").read_text())["images"]) == {"test"}


def test_embeddings_of_another_model_are_refused(model, dataset, tmp_path):
    encode_dataset(model, dataset, tmp_path / "stored", "float32", 2, stream=True)
    other = Sam2Model(model.network, "sam2_nano", "another one")
    with pytest.raises(UserError, match="encoded by another model"):
        open_embeddings(tmp_path / "stored", other)


def test_a_dataset_without_splits_is_refused(model, tmp_path):
    with pytest.raises(UserError, match="has no split to encode"):
        encode_dataset(model, tmp_path / "nothing", tmp_path / "stored", "float32", 2, stream=True)
    assert not (tmp_path / "stored").exists()
