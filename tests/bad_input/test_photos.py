"""Photos as people have them, and a process that is stopped while it draws some."""

import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

from PIL import Image
from spoiling import BENCHMARK, PHOTO, RAW, contents, edited, param, refused
from staging import ROOT, arguments, draw, stage

from uncertsam.data.format import read_split


def test_ctrl_c_stops_a_process_that_works(begun: Path) -> None:
    edited("params.yaml", lambda v: v["data"]["cats"].update(acquire="generate", options={"count": 5000}))()
    before = contents(begun)
    words = [w for key, value in arguments("acquire").items() for w in (f"--{key}", value)]
    words[words.index("photos")] = "camouflage.py"
    work = subprocess.Popen(
        [sys.executable, ROOT / "stages" / "acquire.py", *words], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        while not list(Path(RAW).parent.glob(".cats.*/*")):
            assert work.poll() is None
            time.sleep(0.02)
        work.send_signal(signal.SIGINT)
        _, said = work.communicate(timeout=30)
    finally:
        work.kill()
    assert work.returncode == 130 and said.strip().splitlines()[-1].startswith("interrupted") and "File" not in said
    assert contents(begun) == before


def claim(path: str, side: int) -> None:
    """Write another size into the header of a PNG."""
    content = Path(path).read_bytes()
    header = b"IHDR" + struct.pack(">II", side, side) + content[24:29]
    Path(path).write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])


def listed() -> dict[str, str]:
    """What the last preprocess stage left out, and why."""
    return {s["file"]: s["reason"] for s in read_split(Path(BENCHMARK, "test")).info["skipped"]}


def test_images_that_are_too_large_are_listed_by_a_rule_that_a_parameter_sets(begun: Path) -> None:
    """100 megapixels are more than the default, 400 more than PIL opens; neither is ever decoded."""
    draw(begun / "photos", ["fine", "large", "trap"])
    for path, side in (("masks/fine", 10_000), ("images/large", 10_000), ("images/trap", 20_000)):
        claim(f"photos/{path}.png", side)
    stage("acquire")
    stage("preprocess")
    assert listed() == {
        "images/fine.png": "its mask: it has 100.0 megapixels, more than `max_megapixels` (64)",
        "images/large.png": "it has 100.0 megapixels, more than `max_megapixels` (64)",
        "images/trap.png": "it has more than 178 megapixels",
    }
    param("data.cats", "adapter_options", {"max_megapixels": 0.001})()
    refused("preprocess", "photos has no image", "max_megapixels")
    param("data.cats", "adapter_options", {"max_megapixels": 200})()
    refused("preprocess", "'max_megapixels'", "less than or equal to 178")


def test_names_with_blanks_and_any_letters_go_through(begun: Path) -> None:
    draw(begun / "photos", ["Käfer im Gras", "猫 (1)", "a'b\"c#%", "dot.in.name"])
    stage("acquire")
    stage("preprocess")
    sources = {image.source for name in ("fit", "test") for image in read_split(Path(BENCHMARK, name))}
    assert {"images/Käfer im Gras.png", "images/猫 (1).png", "images/a'b\"c#%.png"} <= sources
    assert "images/dot.in.name.png" in sources and not listed()


def test_two_photos_of_one_name_are_refused(begun: Path) -> None:
    Image.open(PHOTO).convert("RGB").save(PHOTO.replace("png", "jpg"))
    stage("acquire")
    refused("preprocess", "cat 1x.jpg", "cat 1x.png", "rename one")
