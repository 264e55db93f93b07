"""What every model promises: each registered name with random weights, and one that pads and has two heads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import PaddingModel

from uncertsam.data.format import Annotation, ImageRecord, encode_rle, read_split, write_split
from uncertsam.models.checkpoints import kind_of, names
from uncertsam.models.promptable import Embedding, PromptableModel
from uncertsam.models.prompts import Prompts, to_prompts
from uncertsam.models.store import encode, encode_dataset, open_embeddings

SIZE = (40, 100)  # of the picture
BOXES = torch.tensor([[5.0, 7, 60, 30], [0, 0, 99, 39], [70, 10, 75, 12]])


SOME = ["padding", "efficientnet_lite0", "sam2_nano", "sam2.1_tiny"]  # Meta's larger ones differ in the trunk alone
of_each = pytest.mark.parametrize("model", dict.fromkeys([*SOME, *names()]), indirect=True, scope="module")
of_some = pytest.mark.parametrize("model", SOME, indirect=True, scope="module")


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest) -> PromptableModel:
    if request.param == "padding":
        return PaddingModel()
    name, facts = request.param, {"image_size": 128}
    if name not in names():  # a trunk
        name, facts = "sam2_nano", facts | {"trunk": name}
    torch.manual_seed(0)
    found: PromptableModel = kind_of(name).Model(kind_of(name).network(name, facts).eval(), name, "a" * 64)
    found.freeze()
    return found


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def embedding(model: PromptableModel, picture: np.ndarray) -> Embedding:
    return encode(model, model.geometry.to_input(picture)[None], torch.float32)


@pytest.fixture(scope="module")
def prompts(model: PromptableModel) -> Prompts:
    return to_prompts(model.geometry, SIZE, BOXES)


def close(one: object, other: object, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@of_each
@torch.inference_mode()
def test_logits_are_the_sum_over_heads_of_last_layers_times_features(model, embedding, prompts) -> None:
    decoded, rebuilt = model.decode(embedding, prompts), 0
    for head, layer in zip(decoded.heads, model.last_layers, strict=True):
        weight, bias = torch.stack([*head.weight]), torch.stack([*head.bias])
        outputs = torch.einsum("tcd,btd->btc", weight, head.hidden) + bias
        rebuilt = rebuilt + torch.einsum("btc,bchw->bthw", outputs, head.features)
        assert head.weight[0] is layer.weight and head.bias[0] is layer.bias
    close(decoded.logits, rebuilt, 1e-5 * max(1.0, float(decoded.logits.abs().max())))


@of_each
@torch.inference_mode()
def test_what_is_decoded_has_the_promised_shapes_and_ranges_and_is_float32(model, embedding, prompts) -> None:
    decoded, count, side = model.decode(embedding, prompts), len(BOXES), model.geometry.mask_size
    tokens = decoded.scores.shape[1]
    assert decoded.logits.shape == (count, tokens, side, side)
    assert decoded.tokens.shape == (count, tokens, model.width) and decoded.iou_token.shape == (count, model.width)
    assert decoded.source.shape[:2] == (count, model.width) and model.no_mask.shape == (model.width,)
    assert ((decoded.scores >= 0) & (decoded.scores <= 1)).all()
    assert decoded.object_logit is None or decoded.object_logit.shape == (count,)
    tensors = [value for value in vars(decoded).values() if isinstance(value, torch.Tensor)]
    assert all(tensor.dtype == torch.float32 for tensor in [*tensors, *embedding.maps])


@of_some
@torch.inference_mode()
def test_the_encoders_precision_ends_at_the_embedding(model, picture) -> None:
    coarse = encode(model, model.geometry.to_input(picture)[None], torch.bfloat16)
    assert all(each.dtype == torch.float32 for each in coarse.maps)


@of_some
@torch.inference_mode()
def test_pictures_and_prompts_do_not_see_each_other(model, embedding, picture, prompts) -> None:
    two = torch.stack([model.geometry.to_input(each) for each in (255 - picture, picture)])
    close(encode(model, two, torch.float32)[1:].maps, embedding.maps, 1e-3)
    together = model.decode(embedding, prompts)
    alone = [model.decode(embedding, prompts[i : i + 1]) for i in range(len(prompts))]
    close(together.logits, torch.cat([each.logits for each in alone]), 1e-4)
    close(together.scores, torch.cat([each.scores for each in alone]))
    paired = model.decode(embedding[[0, 0, 0]], prompts)
    close(together.logits, paired.logits, 1e-4)


@of_some
@torch.inference_mode()
def test_a_dense_prompt_is_what_the_models_own_encoder_gives(model, embedding, prompts) -> None:
    plain = model.decode(embedding, prompts)
    nothing = model.no_mask[:, None, None].expand_as(plain.source)
    close(model.decode(embedding, prompts, nothing).logits, plain.logits, 1e-4)
    earlier = plain.logits[:, 0]
    asked = Prompts(prompts.points, prompts.labels, earlier[:, None])
    close(
        model.decode(embedding, prompts, model.mask_embedding(earlier)).logits,
        model.decode(embedding, asked).logits, 1e-4,
    )  # fmt: skip


@of_some
@pytest.mark.parametrize("size", [SIZE, (90, 31), (64, 64)])
def test_a_pixel_goes_to_the_grid_and_its_cell_comes_back_around_it(model, size: tuple[int, int]) -> None:
    height, width = size
    geometry, cell = model.geometry, model.geometry.image_size / model.geometry.mask_size
    for x, y in ((0, 0), (width - 1, height - 1), (width // 3, height // 2)):
        u, v = geometry.to_grid(torch.tensor([[x, y]], dtype=torch.float32), size)[0].tolist()
        low = np.zeros((geometry.mask_size,) * 2, np.float32)
        low[int((v + 0.5) / cell), int((u + 0.5) / cell)] = 1
        large = geometry.to_picture(low, size)
        row, column = np.unravel_index(int(large.argmax()), large.shape)
        reach = cell * max(size) / geometry.image_size + 1
        assert large.shape == size and abs(row - y) <= reach and abs(column - x) <= reach


@of_some
def test_maps_on_a_square_show_what_the_picture_shows(model) -> None:
    """Both ways from the decoder's grid lead to the same: to the picture, or at once to a square."""
    low = torch.randn(1, 1, model.geometry.mask_size, model.geometry.mask_size)
    for size in ((64, 64), (48, 96)):
        square = model.geometry.to_square(low, size, 64)[0, 0]
        large = torch.from_numpy(model.geometry.to_picture(low[0, 0].numpy(), size))[None, None]
        again = torch.nn.functional.interpolate(large, (64, 64), mode="bilinear")[0, 0]
        assert (square - again).abs().mean() < 0.1


@of_some
def test_true_masks_lie_where_the_input_shows_them(model) -> None:
    mask = torch.zeros(1, *SIZE, dtype=torch.bool)
    mask[:, 10:31, 20:81] = True
    laid = model.geometry.masks_to_input(mask)[0]
    rows, columns = torch.nonzero(laid.any(1)).flatten(), torch.nonzero(laid.any(0)).flatten()
    box = model.geometry.boxes_to_grid(torch.tensor([[20.0, 10, 80, 30]]), SIZE)[0]
    found = torch.stack([columns[0], rows[0], columns[-1], rows[-1]]).float()
    assert laid.shape == (model.image_size,) * 2 and (found - box).abs().max() <= 1


@of_some
def test_embeddings_survive_the_store(model, picture, tmp_path: Path) -> None:
    root = tmp_path / "set" / "test"
    (root / "images").mkdir(parents=True)
    records, mask = [ImageRecord(i, SIZE[1], SIZE[0]) for i in (1, 2, 3)], np.ones(SIZE, bool)
    for record in records:
        Image.fromarray(picture // record.id).save(root / "images" / record.file_name)
    write_split(root, {}, records, [Annotation(i, i, mask.size, encode_rle(mask)) for i in (1, 2, 3)])
    encode_dataset(model, tmp_path / "set", tmp_path / "stored", "float32", 2, stream=False)
    split = read_split(root)
    store = open_embeddings(tmp_path / "stored", model)
    for image in split:
        expected = encode(model, model.geometry.to_input(split.pixels(image.id))[None], torch.float32)
        close(store.read(split, image.id).maps, expected.maps, 1e-3)
