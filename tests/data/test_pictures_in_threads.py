"""Pictures are read in several threads: large ones too, and no filter of warnings is left behind."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from uncertsam.data.format import ImageRecord, Split
from uncertsam.data.raw.decoding import decode


def test_large_pictures_read_by_many_threads_warn_nobody_and_leave_the_filters(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)  # 32x32 is a "bomb" of less than twice that
    (tmp_path / "images").mkdir()
    records = {i: ImageRecord(i, 32, 32) for i in range(8)}
    for record in records.values():
        Image.fromarray(np.full((32, 32, 3), record.id, np.uint8)).save(tmp_path / "images" / record.file_name)
    split, before = Split(tmp_path, {}, records, {}), list(warnings.filters)
    files = {i: tmp_path / "images" / record.file_name for i, record in records.items()}

    def read(i):
        raw = decode(files[i].read_bytes()).image  # before preprocessing
        return np.array([split.pixels(i), raw])

    with ThreadPoolExecutor(8) as readers:
        found = list(readers.map(read, list(records) * 100))
    assert warnings.filters == before
    for i, picture in zip(list(records) * 100, found, strict=True):
        assert np.abs(picture.astype(int) - i).max() <= 1
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(files[0]).close()
