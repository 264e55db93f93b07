"""An image from its pixels to its measures: by every method together, by each alone, and by the pipeline's stages."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.setting import Setting
from uncertsam.data.format import Annotation, ImageRecord, encode_rle, read_split, write_split
from uncertsam.inference.algebra import Answer, Inputs, Method, PerImage, answer, joined, portions, read_off
from uncertsam.inference.predictions import PredictionTask, predict_cell
from uncertsam.metrics.masks import measure_mask
from uncertsam.metrics.measure import measure_cell
from uncertsam.metrics.region import TruthSide
from uncertsam.models.store import encode, encode_dataset, open_embeddings

Measured = dict[str, float]


def together(setting: Setting) -> Measured:
    """All methods read one decode, all measures of a mask one truth."""
    answers = _answers(setting.methods, _encoded(setting))
    found: Measured = {}
    for i, mask in enumerate(setting.masks):
        side = _side(mask)
        for name, one in answers.items():
            found |= _measured(f"{name} {i}", setting, side, one, i)
    return found


def one_by_one(setting: Setting) -> Measured:
    """Every method decodes by itself and finds the truth's side of the metrics anew; the image is encoded once."""
    inputs = _encoded(setting)
    found: Measured = {}
    for name, method in setting.methods.items():
        one = answer(method, inputs)
        for i, mask in enumerate(setting.masks):
            found |= _measured(f"{name} {i}", setting, _side(mask), one, i)
    return found


def staged(setting: Setting, images: int) -> None:
    """Files of pictures and masks to tables of measures, as the stages encode, predict and measure do it."""
    with TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        root = Path(place)
        _write(root / "set" / "test", setting, images)
        encode_dataset(setting.model, root / "set", root / "embeddings", "float32", 1, False)
        split, store = read_split(root / "set" / "test"), open_embeddings(root / "embeddings", setting.model)
        for name, method in setting.methods.items():
            predict_cell(PredictionTask(setting.model, method, store, split, "set", 0), root / name, _meta(name))
            measure_cell(root / name, root / "set" / "test", name, "set")


@torch.inference_mode()
def _answers(methods: Mapping[str, Method], inputs: Inputs) -> dict[str, Answer]:
    """As `answer`, for several methods: each portion of the objects is decoded once."""
    ready = {name: one.for_image(inputs) if isinstance(one, PerImage) else one for name, one in methods.items()}
    found: dict[str, list[Answer]] = {name: [] for name in methods}
    for portion in portions(inputs):
        for name, method in ready.items():
            found[name].append(read_off(method(portion), method.measure))
    return {name: joined(several) for name, several in found.items()}


def _encoded(setting: Setting) -> Inputs:
    picture = setting.model.geometry.to_input(setting.picture)[None]
    return replace(setting.inputs, embedding=encode(setting.model, picture, torch.float32))


def _side(mask: np.ndarray) -> TruthSide:
    return TruthSide.of(mask, np.zeros_like(mask))


def _measured(name: str, setting: Setting, side: TruthSide, one: Answer, i: int) -> Measured:
    to_picture, size = setting.model.geometry.to_picture, side.truth.shape
    logits, doubt = (to_picture(maps[i].cpu().numpy(), size) for maps in (one.logits, one.uncertainty))
    return {f"{name} {metric} {region}": value for (metric, region), value in measure_mask(side, logits, doubt).items()}


def _meta(name: str) -> dict[str, Any]:
    return {"method": name, "dataset": "set"}


def _write(split: Path, setting: Setting, images: int) -> None:
    """The picture and its masks, so many times, in the benchmark format."""
    height, width = setting.picture.shape[:2]
    records = [ImageRecord(i, width, height) for i in range(images)]
    (split / "images").mkdir(parents=True)
    for record in records:
        Image.fromarray(setting.picture).save(split / "images" / record.file_name)
    write_split(split, {}, records, _annotations(setting, images))


def _annotations(setting: Setting, images: int) -> Iterator[Annotation]:
    count = len(setting.masks)
    for i in range(images * count):
        mask = setting.masks[i % count]
        yield Annotation(i, i // count, int(mask.sum()), encode_rle(mask))
