"""Extraction keeps what the models say and how good it is, and encodes each picture once for all its objects."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import random_nano, same_pass

from uncertsam.base.rng import numpy_generator
from uncertsam.config.usam import ExtractTokens
from uncertsam.data.format import Annotation, ImageRecord, Split, encode_rle, read_split, write_split
from uncertsam.methods.usam.clicks import central, scattered
from uncertsam.methods.usam.entropies import ENTROPIES, mask_entropy
from uncertsam.methods.usam.extract import Extraction
from uncertsam.methods.usam.tokens import Observed
from uncertsam.models.prompts import to_prompts
from uncertsam.models.sam2 import Sam2Model
from uncertsam.models.store import StreamedEmbeddings

HEIGHT, WIDTH = 60, 80
PARAMS = ExtractTokens(clicks=2, views=("blur",))


@pytest.fixture(scope="module")
def models() -> list[Sam2Model]:
    """Two of different weights, that count how often they encode."""
    first, second = random_nano(), random_nano()
    with torch.no_grad():
        second.network.sam_mask_decoder.iou_token.weight.neg_()
    return [Counting(first.network, "sam2_pico", "1" * 64), Counting(second.network, "sam2_nano", "2" * 64)]


class Counting(Sam2Model):
    encoded = 0

    def encode(self, images):
        self.encoded += len(images)
        return super().encode(images)


def square(row: int, column: int, half: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[row - half : row + half + 1, column - half : column + half + 1] = True
    return mask


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """Two images, with three objects and one."""
    root = tmp_path_factory.mktemp("reef") / "test"
    (root / "images").mkdir(parents=True)
    masks = [(0, square(20, 20, 9)), (0, square(40, 60, 12)), (0, square(10, 60, 1)), (1, square(30, 40, 15))]
    for image in range(2):
        pixels = numpy_generator(image).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{image:08d}.jpg")
    write_split(
        root,
        {},
        [ImageRecord(i, WIDTH, HEIGHT, sha256=str(i)) for i in range(2)],
        [Annotation(10 + k, i, int(m.sum()), encode_rle(m)) for k, (i, m) in enumerate(masks)],
    )
    return read_split(root)


@pytest.fixture(scope="module")
def task(models: list[Sam2Model], split: Split) -> Extraction:
    return Extraction(models, [StreamedEmbeddings(m, torch.float32) for m in models], split, "reef", PARAMS, 0)


@pytest.fixture(scope="module")
def observed(task: Extraction) -> Observed:
    return task.observed([0, 1])


def test_every_picture_is_encoded_once_per_model_and_view_whatever_its_objects(task, models):
    before = [model.encoded for model in models]
    task.observed([0, 1])
    assert [model.encoded - count for model, count in zip(models, before, strict=True)] == [2 * 2, 2 * 2]


def test_objects_models_prompts_and_tokens_have_their_places(observed):
    assert observed.image_id.tolist() == [0, 0, 0, 1] and observed.mask_id.tolist() == [10, 11, 12, 13]
    assert observed.mask_tokens.shape == (4, 2, 2 + 2, 4, 128) and observed.scores.shape == (4, 2, 4, 3)


def test_tokens_scores_and_ious_are_those_of_the_decoder_for_each_prompt(observed, models, split):
    truth, generator = split.masks(0)[1], numpy_generator(0, "reef", 0, "usam", 11, "truth")
    clicks = torch.from_numpy(np.vstack([central(truth), scattered(truth, 2, generator)]))
    for at, model in enumerate(models):
        embedding = StreamedEmbeddings(model, torch.float32).read(split, 0)
        for prompt, asked in enumerate([clicks[[0]], clicks[[1]], clicks[[2]], clicks]):
            labels = torch.ones(1, len(asked), dtype=torch.long)
            given = to_prompts(model.geometry, (HEIGHT, WIDTH), points=asked[None], labels=labels)
            with torch.inference_mode():
                decoded = model.decode(embedding, given)
            place = (1, at, prompt)
            assert same_pass(observed.iou_token[place], decoded.iou_token[0])
            assert same_pass(observed.mask_tokens[place], decoded.tokens[0])
            assert same_pass(observed.scores[place], decoded.scores[0, 1:])
            for mask in range(3):
                found = model.geometry.to_picture(decoded.logits[0, 1 + mask].numpy(), (HEIGHT, WIDTH)) > 0
                iou = (found & truth).sum() / (found | truth).sum()
                assert float(observed.ious[(*place, mask)]) == pytest.approx(iou, abs=2e-3)


def test_the_entropy_of_one_mask_is_that_of_the_protocols_mask(observed, models, split):
    click = torch.from_numpy(central(split.masks(1)[0]))[None, None]
    labels = torch.ones(1, 1, dtype=torch.long)
    for at, model in enumerate(models):
        given = to_prompts(model.geometry, (HEIGHT, WIDTH), points=click, labels=labels)
        with torch.inference_mode():
            decoded = model.decode(StreamedEmbeddings(model, torch.float32).read(split, 1), given)
        for protocol, by in enumerate((observed.ious, observed.scores)):
            mask = int(by[3, at, 0].argmax())
            expected = mask_entropy(decoded.logits[0, 1 + mask].clamp(-32, 32).sigmoid())
            assert same_pass(observed.entropies[3, at, protocol, ENTROPIES.index("h_std")], expected)


def test_what_is_seen_of_an_image_does_not_depend_on_the_others(observed, task):
    alone = Observed.joined([task.observed([0]), task.observed([1])])
    for name, values in alone.arrays().items():
        assert same_pass(values, observed.arrays()[name]), name


def test_another_truth_around_the_same_click_changes_nothing_that_is_deployable(observed, task, split):
    smaller = square(20, 20, 5)
    annotations = dict(split.annotations)
    annotations[0] = [replace(a, segmentation=encode_rle(smaller)) if a.id == 10 else a for a in annotations[0]]
    other = replace(task, split=replace(split, annotations=annotations)).observed([0])
    assert not torch.equal(other.ious[0], observed.ious[0])
    assert same_pass(other.entropies[0, :, 1], observed.entropies[0, :, 1])
    for name in ("iou_token", "mask_tokens", "scores"):
        assert same_pass(other.arrays()[name][0, :, 0], observed.arrays()[name][0, :, 0])


def test_void_pixels_do_not_count(task, split, observed):
    """Void where the truth is not: every mask is then inside the truth, or void."""
    truth = split.masks(1)[0]
    images = {**split.images, 1: replace(split.images[1], ignore=encode_rle(~truth))}
    found = replace(task, split=replace(split, images=images)).observed([1])
    inside = found.ious >= observed.ious[3:]
    assert inside.all() and (found.ious <= 1).all()


def test_images_without_objects_give_nothing(task, split):
    assert replace(task, split=replace(split, annotations={0: [], 1: []})).observed([0, 1]) is None


def test_models_of_different_token_widths_are_refused(task, models):
    wide = Counting(models[0].network, "sam2_wide", "3" * 64)
    wide.__class__ = type("Wide", (Counting,), {"width": 256})
    with pytest.raises(ValueError, match=r"\['sam2_wide', 'sam2_nano'\] are not of one width"):
        replace(task, models=[wide, models[1]])


def test_a_store_is_written_shard_by_shard(task, tmp_path: Path):
    from uncertsam.methods.usam.tokens import TokenStore, write_tokens

    facts = {"clusters": {i.id: i.cluster for i in task.split}, "dataset": "reef", "seed": 0, "params": {}}
    parts = (task.observed([image]) for image in (0, 1))
    write_tokens(tmp_path / "tokens", parts, task.models, "float32", facts)
    store = TokenStore(tmp_path / "tokens", task.models)
    assert [len(part.image_id) for part in store] == [3, 1] and store.clusters == {0: "0", 1: "1"}
