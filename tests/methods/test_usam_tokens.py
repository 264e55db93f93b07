"""What is written to a token store comes back, and only to the models whose tokens it holds."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from usam_worlds import random_observed

from uncertsam.base.errors import UserError
from uncertsam.methods.usam.tokens import Observed, TokenStore, write_tokens

OURS = [SimpleNamespace(name=f"sam2_{name}", digest=digit * 64) for name, digit in (("pico", "1"), ("nano", "2"))]
OTHER = SimpleNamespace(name="sam2_tiny", digest="3" * 64)
PARTS = [random_observed(5, seed=0), random_observed(3, seed=1)]
FACTS = {"clusters": {"0": "a", "1": "b"}, "dataset": "reef", "seed": 0, "params": {}}


def write(folder: Path, dtype: str = "float32", parts: list[Observed] = PARTS) -> Path:
    assert write_tokens(folder, parts, OURS, dtype, FACTS) == sum(len(part.image_id) for part in parts)
    return folder


def test_writing_and_reading_are_inverse(tmp_path):
    store = TokenStore(write(tmp_path / "tokens"), OURS)
    assert len(store) == 8 and store.clusters == {0: "a", 1: "b"}
    for found, expected in zip(store, PARTS, strict=True):
        assert all(torch.equal(value, expected.arrays()[name]) for name, value in found.arrays().items())


def test_half_precision_rounds_tokens_and_nothing_else(tmp_path):
    for found, expected in zip(TokenStore(write(tmp_path / "tokens", "float16"), OURS), PARTS, strict=True):
        assert found.mask_tokens.dtype == torch.float32
        assert torch.equal(found.mask_tokens, expected.mask_tokens.half().float())
        assert torch.equal(found.ious, expected.ious) and torch.equal(found.scores, expected.scores)


@pytest.mark.parametrize("models", [[OURS[0], OTHER], OURS[::-1], OURS[:1]], ids=["another", "order", "fewer"])
def test_the_tokens_of_other_models_are_refused_and_all_are_named(tmp_path, models):
    with pytest.raises(UserError, match=r"tokens of sam2_pico \(111111111111\), sam2_nano .* but the models are sam2_"):
        TokenStore(write(tmp_path / "tokens"), models)


@pytest.mark.parametrize("how", [lambda b: b[:-1], lambda b: b[:100], lambda b: b"", lambda b: b"{}" * 20])
def test_a_truncated_shard_is_named(tmp_path, how):
    path = write(tmp_path / "tokens") / "00001.safetensors"
    path.write_bytes(how(path.read_bytes()))
    with pytest.raises(UserError, match=r"00001\.safetensors cannot be read .*Run the extract_tokens stage again"):
        list(TokenStore(path.parent, OURS))


def test_missing_and_exchanged_shards_are_named(tmp_path):
    folder = write(tmp_path / "tokens")
    (folder / "00000.safetensors").rename(folder / "00001.safetensors")
    with pytest.raises(UserError, match=r"00000\.safetensors cannot be read"):
        list(TokenStore(folder, OURS))
    (folder / "00000.safetensors").write_bytes((folder / "00001.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"00001\.safetensors holds 5 objects, not 3"):
        list(TokenStore(folder, OURS))


@pytest.mark.parametrize("change", [{"models": 3}, {"counts": None}, {"kind": "bends"}, {"clusters": []}])
def test_a_broken_manifest_is_refused(tmp_path, change):
    path = write(tmp_path / "tokens") / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=r"manifest\.json is (broken|not of the kind).*extract_tokens stage again"):
        TokenStore(path.parent, OURS)


def test_without_objects_there_is_no_store(tmp_path):
    with pytest.raises(UserError, match="There are no objects"):
        write_tokens(tmp_path / "tokens", [], OURS, "float32", FACTS)
    assert not (tmp_path / "tokens").exists()
