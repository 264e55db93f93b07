"""A published set from the server to the benchmark: loaded, unpacked, inventoried, read."""

import io
import json
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, encode_rle, read_split
from uncertsam.data.raw.acquire import Inventory
from uncertsam.data.raw.adapters.base import Reading, read_raw
from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.preprocess import preprocess
from uncertsam.data.raw.remote import published as downloads
from uncertsam.data.raw.remote import sources as table
from uncertsam.data.splits import Reserved


def published(split: str, ids: list[int]) -> dict[str, bytes]:
    """A split as the authors publish it: nothing but annotations in the JSON; every mask its own square."""
    files, entries = {}, []
    for number in ids:
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        files[f"{split}/images/{number:08d}.jpg"] = buffer.getvalue()
        mask = np.zeros((20, 30), bool)
        mask[2:8, 5 : 5 + number] = True
        entry = Annotation(number, number, int(mask.sum()), encode_rle(mask))
        entries.append({"id": entry.id, "image_id": number, "area": entry.area, "segmentation": entry.segmentation})
    files[f"{split}/annotations/dataset.json"] = json.dumps({"annotations": entries}).encode()
    return files


def tarball(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


SPLITS = {"train": published("train", [1]), "val": published("val", [2]), "test": published("test", [3, 4, 5])}


@pytest.fixture
def hub(site: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The site in place of every host of the table."""

    def moved(url: str) -> str:
        return site.url("/" + url.split("://")[1].partition("/")[2])

    original = table.sources()
    there = [replace(s, urls=tuple(map(moved, s.urls)), token_home=site.home if s.token_home else "") for s in original]
    monkeypatch.setattr(table, "sources", lambda: there)
    for source in there:
        for url in source.urls:
            split = table.file_name(url).removesuffix(".tar.gz")
            body = tarball(SPLITS[split]) if split in SPLITS else f"weights of {source.name}".encode()
            site.files[url.removeprefix(site.home)] = body
    return site


def run(folder: Path, **options: Any) -> Path:
    out = folder / "raw" / "ISTD"
    downloads.download({"name": "ISTD", **options}, out, folder / "archives", folder / "hashes.json")
    return out


def test_a_published_set_is_loaded_unpacked_and_inventoried(hub: Any, tmp_path: Path) -> None:
    out = run(tmp_path)
    found = Inventory.read(out)
    wanted = {name: sha256(body).hexdigest() for files in SPLITS.values() for name, body in files.items()}
    assert found.files == wanted and found.root == "." and not found.synthetic
    found.verify(out)
    assert len(json.loads((tmp_path / "hashes.json").read_text())) == 3
    asked = len(hub.asked)
    run(tmp_path)
    assert len(hub.asked) == asked  # the archives are kept


def test_the_token_is_taken_from_the_tables_variable(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    run(tmp_path)
    assert {headers.get("authorization") for _, headers in hub.asked} == {"Bearer secret"}


@pytest.mark.parametrize(
    ("options", "message"),
    [({"name": "SA-1B"}, "no dataset 'SA-1B'.*ISTD"), ({"split": "x"}, r"data\.ISTD\.options\.split.*gigabytes"),
     ({"ratio": 0}, r"data\.ISTD\.options\.ratio"), ({"gigabytes": 1e-7}, "more than the limit")],
)  # fmt: skip
def test_wrong_options_and_too_much_data_are_refused_and_leave_no_set(
    hub: Any, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path, **options)
    assert not (tmp_path / "raw" / "ISTD").exists()


def test_a_folder_of_other_data_is_never_replaced(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "raw" / "ISTD").mkdir(parents=True)
    (tmp_path / "raw" / "ISTD" / "mine.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        run(tmp_path)
    assert not hub.asked


def read(root: Path, **options: Any) -> Reading:
    return read_raw("benchmark", root, options)


def test_a_published_set_becomes_a_benchmark_set_with_its_masks_and_its_licence(hub: Any, tmp_path: Path) -> None:
    raw = run(tmp_path)
    options = {"published": "ISTD", "quality": "human"}
    preprocess(raw, tmp_path / "out", "ISTD", "benchmark", options, {"test": 1.0}, Reserved(), "s", 0, False)
    split = read_split(tmp_path / "out" / "test")
    assert [r.source for r in split] == [f"test/images/{n:08d}.jpg" for n in (3, 4, 5)]
    assert [int(split.masks(i).sum()) for i in split.images] == [18, 24, 30]
    assert split.info["licence"] == "research only (Table 2 of the paper)"
    assert {r.quality for r in split} == {"human"}


def test_splits_are_read_as_asked_wherever_the_archive_put_them(hub: Any, tmp_path: Path) -> None:
    raw = run(tmp_path)
    assert len(read(raw, splits=["train", "val", "test"]).images) == 5
    assert [i.name for i in read(raw.parent, splits=["val"]).images] == ["ISTD/val/images/00000002.jpg"]


@pytest.mark.parametrize("options", [{"splits": ["dev"]}, {"splits": []}, {"published": "ISTD2"}])
def test_a_split_or_a_name_that_does_not_exist_is_refused(hub: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        read(run(tmp_path), **options)


def test_a_split_that_is_there_twice_is_refused(hub: Any, tmp_path: Path) -> None:
    (run(tmp_path) / "copy").mkdir()
    (tmp_path / "raw" / "ISTD" / "test").rename(tmp_path / "raw" / "ISTD" / "copy" / "test")
    run_again = tmp_path / "raw" / "ISTD" / "test" / "annotations"
    run_again.mkdir(parents=True)
    (run_again / "dataset.json").write_text('{"annotations": []}')
    with pytest.raises(UserError, match="the split test twice"):
        read(tmp_path / "raw")


def test_masks_without_area_are_left_out_and_broken_ones_cost_their_image(hub: Any, tmp_path: Path) -> None:
    path = run(tmp_path) / "test" / "annotations" / "dataset.json"
    value = json.loads(path.read_text())
    value["annotations"][0]["area"] = 0
    value["annotations"][1]["segmentation"]["counts"] = "AAAA"
    path.write_text(json.dumps(value))
    images = read(path.parents[2]).images
    assert images[0].read_labels().skipped == ["object/3: it has no area"]
    with pytest.raises(Unusable, match="RLE is broken"):
        images[1].read_labels()


# --- the command


def test_the_command_loads_a_checkpoint_and_records_its_hash(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncertsam: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said, _ = uncertsam("download", "sam2.1_large", "--out", "checkpoints")
    assert code == 0 and "Apache-2.0" in said
    assert Path("checkpoints/sam2.1_hiera_large.pt").read_bytes() == b"weights of sam2.1_large"
    assert len(json.loads(Path("requirements/downloads.json").read_text())) == 1


def test_the_command_unpacks_a_dataset_and_lists_what_there_is(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncertsam: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    said = uncertsam("download", "sam9", "--out", "x")[2]
    assert said.startswith("error: There is no source 'sam9'") and "MSD_Spleen" in said and "sam2_tiny" in said
    assert not list(tmp_path.iterdir())
    assert uncertsam("download", "COIFT", "--out", "data/external/COIFT")[0] == 0
    Inventory.read(tmp_path / "data/external/COIFT").verify(tmp_path / "data/external/COIFT")
