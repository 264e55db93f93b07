"""What a model was trained on, or fitted on, never appears in a reported number. Proved on the manifests."""

import json

import pandas as pd
import pytest

from uncertsam.data.format import read_split
from uncertsam.data.raw.acquire import local
from uncertsam.data.raw.preprocess import preprocess
from uncertsam.data.splits import SPLITS, read_reserved

EVERYTHING_TO_TEST = {"test": 1.0}


@pytest.fixture(scope="module")
def manifest(request):
    return request.config.rootpath / "checkpoints" / "sam2_nano.safetensors.json"


def test_the_manifest_lists_what_the_model_saw(manifest):
    value = json.loads(manifest.read_text())
    assert len(value["pretrain_images"]) == len(value["pretrain_dhashes"]) > 100
    assert all(len(sha256) == 64 for sha256 in value["pretrain_images"])


def test_photos_that_the_model_saw_go_to_pretrain_whatever_the_dataset_is_called_or_asked_for(
    manifest, real_data, tmp_path
):
    """Even a profile that sends everything to `test` cannot report a photo that the weights were trained on."""
    local(real_data / "everyday_coco", tmp_path / "raw")
    reserved = read_reserved(manifest)
    preprocess(
        tmp_path / "raw", tmp_path / "out", "renamed", "folder", {}, EVERYTHING_TO_TEST, reserved, "uncertsam", 3, False
    )
    seen = set(json.loads(manifest.read_text())["pretrain_images"])
    reported = {image.sha256 for image in read_split(tmp_path / "out" / "test")}
    pretrained = {image.sha256 for image in read_split(tmp_path / "out" / "pretrain")}
    assert reported and not reported & seen
    assert seen <= pretrained | reported and len(pretrained & seen) >= 100


def test_no_group_of_near_duplicates_is_divided(manifest, real_data, tmp_path):
    local(real_data / "davis_objects", tmp_path / "raw")
    fractions = {"fit": 0.3, "calibrate": 0.3, "test": 0.4}
    preprocess(
        tmp_path / "raw", tmp_path / "out", "davis", "folder", {}, fractions, read_reserved(manifest), "uncertsam", 3,
        False,
    )  # fmt: skip
    groups = [
        {image.group for image in read_split(tmp_path / "out" / name)}
        for name in fractions
        if (tmp_path / "out" / name).exists()
    ]
    assert len(groups) >= 2
    assert not set.intersection(*groups)
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_of_the_training_photos_enough_are_set_aside_and_none_has_two_splits(root):
    """checkpoints/photos.csv was committed before the first step; what is pretrain there is reserved for good."""
    photos = pd.read_csv(root / "checkpoints" / "photos.csv")
    assert photos["sha256"].is_unique and set(photos["split"]) <= set(SPLITS)
    pool = photos[photos["dataset"] != "everyday_coco"]
    assert (pool["split"] == "fit").sum() >= 400 and (pool["split"] == "calibrate").sum() >= 200
    assert ((pool["dataset"] == "bsds500") & (pool["split"] == "test")).sum() >= 100
    reserved = read_reserved(root / "checkpoints" / "pretrain_images.json").images
    assert set(photos["sha256"][photos["split"] == "pretrain"]) == set(reserved)
