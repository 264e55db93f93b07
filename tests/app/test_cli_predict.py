"""`uncertsam predict`: files that read back, one JSON object, and one clear line for every bad input."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from uncertsam.app.api.loading import weights_of
from uncertsam.app.commands._grouped import joined, numbers
from uncertsam.base.errors import UserError

FILES = {"overlay.png", "plot.png", "uncertainty.png", "maps.npz", "prediction.json"}


@pytest.fixture
def photos(root, tmp_path, monkeypatch) -> Path:
    """Two of the golden pictures in a folder; the current folder is elsewhere, as a user's is."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, name in ((1, "cat.jpg"), (2, "more/dog.jpg")):
        (folder / name).write_bytes((root / "data" / "golden" / "images" / f"{number:08d}.jpg").read_bytes())
    return folder


def test_a_box_gives_files_that_read_back(photos, uncertsam, tmp_path):
    code, said, errors = uncertsam("predict", photos / "cat.jpg", "--box", 20, 30, 180, 150, "--out", "results")
    assert (code, errors) == (0, "") and "cat.jpg: mean uncertainty" in said
    out = tmp_path / "results"
    assert {path.name for path in out.iterdir()} == FILES | {"predictions.json"}
    told = json.loads((out / "prediction.json").read_text())
    deep = cv2.imread(str(out / "uncertainty.png"), cv2.IMREAD_UNCHANGED)
    ends = told["uncertainty_png"]
    with np.load(out / "maps.npz") as maps:
        step = (ends["high"] - ends["low"]) / 65535
        np.testing.assert_allclose(ends["low"] + deep * step, maps["uncertainty"], atol=step)
        assert maps["mask"].sum() == told["coco"]["area"]
    assert told["method"] == "sam" and told["box"] == [20, 30, 180, 150]


def test_json_is_one_object_and_nothing_else(photos, uncertsam):
    code, said, _ = uncertsam("predict", photos / "cat.jpg", "--box", 20, 30, 180, 150, "--json", "--method", "prompt")
    (one,) = json.loads(said)["predictions"]
    assert code == 0 and one["method"] == "prompt" and one["unit"] == "nats" and one["image"] == "cat.jpg"
    assert {"expected_entropy", "mutual_information"} == set(one["decomposition"])


def test_clicks_may_be_repeated_and_negative(photos, uncertsam):
    words = ["--point", 90, 80, "--point", 5, 5, "--label", 1, "--label", 0, "--json"]
    code, said, _ = uncertsam("predict", photos / "cat.jpg", *words)
    (one,) = json.loads(said)["predictions"]
    assert code == 0 and one["points"] == [[90, 80], [5, 5]] and one["labels"] == [1, 0] and one["box"] is None


def test_several_boxes_are_several_objects(photos, uncertsam, tmp_path):
    code, said, _ = uncertsam("predict", photos / "cat.jpg", "--box", 0, 0, 50, 50, "--box", 9, 9, 99, 99, "--json")
    assert code == 0 and [one["folder"] for one in json.loads(said)["predictions"]] == ["1", "2"]
    assert (tmp_path / "out" / "2" / "maps.npz").is_file()


def test_a_deep_and_turned_picture_is_answered_with_notes(photos, uncertsam, tmp_path):
    deep = cv2.imread(str(photos / "cat.jpg")).astype(np.uint16) * 16
    deep[:9] = 65535
    cv2.imwrite(str(photos / "deep.tif"), deep)
    Image.open(photos / "cat.jpg").save(
        photos / "turned.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"
    )
    code, said, _ = uncertsam("predict", photos / "deep.tif", "--box", 20, 30, 180, 150, "--out", "out")
    assert code == 0 and "note: The picture has more than 8 bits: 0 is shown as black, 4080 as white." in said
    assert any("65535" in note for note in json.loads((tmp_path / "out" / "prediction.json").read_text())["notes"])
    code, said, _ = uncertsam("predict", photos / "turned.jpg", "--box", 20, 30, 180, 150, "--out", "out")
    assert code == 0 and "note: The picture was turned upright" in said


def test_a_folder_is_answered_box_by_box(photos, uncertsam, tmp_path):
    boxes = {"cat.jpg": [[20, 30, 180, 150], [0, 0, 60, 60]], "more/dog.jpg": [[10, 10, 200, 200]]}
    Path("boxes.json").write_text(json.dumps(boxes))
    code, said, errors = uncertsam("predict", photos, "--boxes", "boxes.json", "--out", "results", "--json")
    told = json.loads(said)
    assert (code, errors, told["problems"]) == (0, "", [])
    assert [one["folder"] for one in told["predictions"]] == ["cat/1", "cat/2", "more/dog/1"]
    assert {path.name for path in (tmp_path / "results" / "more" / "dog" / "1").iterdir()} == FILES
    stored = json.loads((tmp_path / "results" / "predictions.json").read_text())
    assert stored["predictions"] == told["predictions"]


def test_what_cannot_be_used_in_a_folder_is_named_and_the_rest_goes_on(photos, uncertsam):
    (photos / "text.jpg").write_text("no picture")
    boxes = {
        "text.jpg": [[0, 0, 9, 9]], "lost.jpg": [[0, 0, 9, 9]], "cat.jpg": [[5, 5, 4, 9], [20, 30, 180, 150]],
        "more/dog.jpg": [],
    }  # fmt: skip
    Path("boxes.json").write_text(json.dumps(boxes))
    code, said, errors = uncertsam("predict", photos, "--boxes", "boxes.json", "--json")
    told = json.loads(said)
    assert code == 1 and [one["folder"] for one in told["predictions"]] == ["cat/2"]
    text, lost, box = errors.splitlines()
    assert "text.jpg is no picture" in text and "There is no file" in lost and "cat.jpg, box 1" in box
    assert len(told["problems"]) == 3


@pytest.fixture
def stack(photos) -> Path:
    """Three pages: one of the pictures, dimmed."""
    picture = Image.open(photos / "cat.jpg")
    pages = [picture.point(lambda value, k=k: value // k) for k in (1, 2, 3)]
    pages[0].save(photos / "stack.tif", save_all=True, append_images=pages[1:])
    return photos / "stack.tif"


def test_of_several_pages_the_first_is_used_with_a_note_that_says_how_to_ask_for_another(stack, uncertsam, tmp_path):
    ask = ("--box", 20, 30, 180, 150, "--json", "--out")
    (one,) = json.loads(uncertsam("predict", stack, *ask, "a")[1])["predictions"]
    assert "stack.tif has 3 pages, of which this is the first; the second is stack.tif#p002." in one["notes"]
    (two,) = json.loads(uncertsam("predict", f"{stack}#p002", *ask, "b")[1])["predictions"]
    assert two["image"] == "stack.tif#p002" and not two["notes"] and two["score"] != one["score"]
    assert "has no page 4. Its pages are 1, 2, 3." in uncertsam("predict", f"{stack}#p004", *ask, "c")[2]


def test_files_and_pages_that_no_box_is_for_are_listed(stack, photos, uncertsam):
    for name in ("x.heic", "Thumbs.db"):
        (photos / name).touch()
    asked = {"stack.tif": [[20, 30, 180, 150]], "stack.tif#p003": [[20, 30, 180, 150]], "cat.jpg": []}
    (photos / "boxes.json").write_text(json.dumps(asked))
    code, said, _ = uncertsam("predict", photos, "--boxes", photos / "boxes.json", "--out", photos / "out", "--json")
    told = json.loads(said)
    assert code == 0 and [one["folder"] for one in told["predictions"]] == ["stack/1", "stack_p003/1"]
    listed = {one["file"]: one["reason"] for one in told["skipped"]}
    assert listed.keys() == {"cat.jpg", "more/dog.jpg", "stack.tif", "x.heic"}
    assert listed["stack.tif"] == "1 of its 3 pages have no box, such as stack.tif#p002"


BOX = ("--box", 20, 30, 180, 150)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["photos/cat.jpg"], "There is no prompt. Give a box"),
        (["photos/cat.jpg", "--box", 1, 2, 3], "--box takes 4 numbers, but got 1 2 3."),
        (["photos/cat.jpg", "--point"], "--point takes 2 numbers, but got nothing."),
        (["photos/cat.jpg", "--box=a,b,c,d"], "--box takes 4 numbers, but got a,b,c,d. Such as --box 20 30 180 200"),
        (["photos/cat.jpg", "--box", 0, 0, 9, 9, *BOX, "--point", 5, 5], "Points say nothing beside several boxes."),
        (["photos/lost.jpg", *BOX], "There is no file photos/lost.jpg."),
        (["photos", *BOX], "photos is a folder. Say what is asked: --boxes boxes.json"),
        (["photos/cat.jpg", "--boxes", "b.json"], "photos/cat.jpg is no folder."),
        (["photos", "--boxes", "b.json", *BOX], "--box, --point and --label are for one picture."),
        (["photos", "--boxes", "lost.json"], "There is no file lost.json."),
        (["photos/cat.jpg", *BOX, "--method", "laplase"], "There is no method 'laplase'. Did you mean 'laplace'?"),
        (["photos/cat.jpg", *BOX, "--method", "laplace", "--fitted", "none"], "Make it: `uncertsam fit --out none`"),
        (["photos/cat.jpg", *BOX, "--model", "sam2.1_large"], "uncertsam download sam2.1_large --out checkpoints"),
        (["photos/cat.jpg", *BOX, "--model", "mine.safetensors"], "does not say which model it holds. Give its name"),
        (["photos/cat.jpg", *BOX, "--model", "mine.safetensors", "--name", "sam3"], "There is no model named 'sam3'."),
        (["photos/cat.jpg", *BOX, "--model", "lost.safetensors", "--name", "sam2_nano"], "no file of weights lost."),
        (["photos/cat.jpg", *BOX, "--model", "sam2_nano", "--name", "sam2_tiny"], "no file of weights sam2_nano, and"),
        (["photos/cat.jpg", *BOX, "--device", "tpu"], "There is no device 'tpu' here."),
        (["photos/cat.jpg", *BOX, "--out", "text.jpg"], "text.jpg cannot be made a folder (File exists)."),
        (["photos/cat.jpg", *BOX, "--out", "text.jpg/deep"], "cannot be made a folder (Not a directory)."),
    ],
)
def test_bad_input_is_one_clear_line(photos, uncertsam, tmp_path, words, told):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "mine.safetensors").write_bytes(b"")
    code, said, errors = uncertsam("predict", *words)
    assert (code, said) == (1, "")
    (line,) = errors.splitlines()
    assert told in line and line.startswith("error: ") and "\n" not in line


def test_a_file_of_weights_is_told_by_its_name(photos, uncertsam, tmp_path):
    shutil.copy(weights_of("sam2_nano"), tmp_path / "mine.safetensors")
    words = ["predict", photos / "cat.jpg", *BOX, "--json", "--method", "laplace_closed"]
    scores = [
        json.loads(uncertsam(*words, *more)[1])["predictions"][0]["score"]
        for more in ([], ["--model", "mine.safetensors", "--name", "sam2_nano"], ["--model", "mine.safetensors"])
    ]
    assert scores[0] == scores[1] == scores[2]  # the name is remembered beside the file


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(photos, uncertsam, monkeypatch):
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: not mode & os.W_OK and allowed(path, mode)
    )  # root may anything
    code, _, errors = uncertsam("predict", photos / "cat.jpg", *BOX, "--out", "sealed")
    assert code == 1 and "The folder sealed is not writable." in errors
    assert list(Path("sealed").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"), ("[]", "names no pictures"), ("{}", "names no pictures"),
        ('{"a.jpg": 3}', "'a.jpg' has no list of boxes"), ('{"a.jpg": [1, 2, 3, 4]}', "box 1 of 'a.jpg' is not four"),
        ('{"a.jpg": [[1, 2, 3, 4], [1, 2, 3]]}', "box 2 of 'a.jpg' is not four numbers"),
        ('{"a.jpg": [[1, 2, 3, true]]}', "box 1 of 'a.jpg'"), ('{"../a.jpg": []}', "leads out of the folder"),
        ('{"/etc/a.jpg": []}', "leads out of the folder"),
        ('{"a.jpg": [], "a.png": []}', "a.jpg and a.png would both be written to a."),
        ('{"a.jpg": [[1, 1, 3, 3]], "a.jpg": []}', "boxes.json names 'a.jpg' twice. Put all boxes"),
        ('{"": []}', "'' names no picture"), ('{".": []}', "'.' names no picture"), ("[" * 99999, "is not JSON"),
        ('{"a.jpg": [[1, 2, 3, 1' + "0" * 400 + "]]}", "box 1 of 'a.jpg' is not four numbers"),
        ('{"more/predictions.json.jpg": []}', "would take the place of predictions.json"),
    ],
)  # fmt: skip
def test_a_file_of_boxes_that_is_none_is_refused(photos, uncertsam, text, told):
    Path("boxes.json").write_text(text)
    code, said, errors = uncertsam("predict", photos, "--boxes", "boxes.json")
    assert (code, said) == (1, "") and told in errors


ODD = os.fsdecode(b"K\xe4tz\nchen $a$ $\\foo$.jpg")


def test_any_name_is_answered_written_and_shown(photos, uncertsam, tmp_path):
    """Not UTF-8, a line's end, a formula: in the picture's name and the folder's."""
    (photos / "cat.jpg").rename(photos / ODD)
    code, said, errors = uncertsam("predict", photos / ODD, *BOX, "--out", ODD)
    shown = "K\\xe4tz\\nchen $a$ $\\foo$.jpg"
    assert (code, errors) == (0, "") and said.startswith(f"{shown}: mean")
    assert {path.name for path in (tmp_path / ODD).iterdir()} == FILES | {"predictions.json"}
    assert json.loads((tmp_path / ODD / "prediction.json").read_text())["image"] == shown


def test_a_narrow_terminal_loses_nothing(photos, tmp_path):
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    (photos / "cat.jpg").rename(photos / "貓ä.jpg")
    code = "from uncertsam.cli import main; main()"
    words = [sys.executable, "-c", code, "predict", photos / "貓ä.jpg", *map(str, BOX), "--out", "ausgä"]
    done = subprocess.run(words, env={**os.environ, **narrow}, capture_output=True)
    assert (done.returncode, b"Error" in done.stderr) == (0, False) and b"mean uncertainty" in done.stdout
    assert json.loads((tmp_path / "ausgä" / "prediction.json").read_text())["image"] == "貓ä.jpg"


def test_grouped_numbers_survive_the_way_through_typer():
    assert joined(["a.jpg", "--box", "-1", "2", "3.5", "4", "--json"]) == ["a.jpg", "--box=-1,2,3.5,4", "--json"]
    assert numbers(["-1,2,3.5,4"]) == [[-1, 2, 3.5, 4]] and numbers(None) == []
    with pytest.raises(UserError, match="takes 2 numbers"):
        joined(["--point", "1", "--json"])


def test_help_comes_at_once_and_shows_examples(uncertsam):
    """At once: nothing heavy is imported for it."""
    heavy = "[m for m in ('torch', 'mlflow', 'cv2', 'pandas', 'matplotlib') if m in sys.modules]"
    code = f"import sys; from uncertsam.cli import app; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for command in ("predict", "fit", "doctor", "evaluate", "report"):
        status, said, _ = uncertsam(command, "--help")
        assert status == 0 and f"uncertsam {command}" in " ".join(said.split("Example")[1].split())
