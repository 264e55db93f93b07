"""The fixed subset: drawn by hash, recorded, and refused if it is another."""

from dataclasses import replace

import numpy as np
import pytest

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, ImageRecord, Split, encode_rle
from uncertsam.experiments.subset import COLUMNS, check_registered, digest, drawn, listing


@pytest.fixture
def split(tmp_path) -> Split:
    """Ten images of three masks each."""
    images = {i: ImageRecord(i, 8, 8, sha256=f"image {i}") for i in range(10)}
    annotations = {}
    for i in images:
        marks = [np.eye(8, k=k + i % 3, dtype=bool) for k in range(3)]
        annotations[i] = [Annotation(10 * i + k, i, int(m.sum()), encode_rle(m)) for k, m in enumerate(marks)]
    return Split(tmp_path / "test", {}, images, annotations)


def shuffled(split: Split) -> Split:
    order = sorted(split.images, key=lambda i: (i * 7) % 10)
    return replace(
        split, images={i: split.images[i] for i in order}, annotations={i: split.annotations[i] for i in order}
    )


def test_so_many_images_and_masks_are_drawn_and_keep_their_ids(split):
    found = drawn(split, 4, 2, 0)
    assert len(found) == 4 and all(len(found.annotations[i]) == 2 for i in found.images)
    assert all(a in split.annotations[i] for i in found.images for a in found.annotations[i])
    assert len(drawn(split, 40, None, 0)) == 10


def test_order_does_not_matter_and_the_seed_does(split):
    rows = listing({"a": drawn(split, 4, 2, 0)})
    assert rows.equals(listing({"a": drawn(shuffled(split), 4, 2, 0)}))
    assert digest(rows) != digest(listing({"a": drawn(split, 4, 2, 1)}))


def test_more_images_push_others_out_and_change_nothing_else(split):
    few, many = (set(drawn(split, n, 2, 0).images) for n in (3, 6))
    assert few < many


def test_every_mask_is_listed_with_both_hashes(split):
    rows = listing({"b": drawn(split, 2, 1, 0), "a": drawn(split, 3, 2, 0)})
    assert list(rows.columns) == COLUMNS and len(rows) == 2 + 6
    assert rows["dataset"].is_monotonic_increasing and rows["mask_sha256"].str.len().eq(64).all()


def test_the_registered_list_is_accepted_and_any_other_refused(split):
    rows = listing({"a": drawn(split, 4, 2, 0)})
    check_registered(rows, None)
    check_registered(rows, digest(rows))
    changed = replace(split, images={i: replace(r, sha256=f"{r.sha256}'") for i, r in split.images.items()})
    with pytest.raises(UserError, match=r"not those registered.*ablate.subset"):
        check_registered(listing({"a": drawn(changed, 4, 2, 0)}), digest(rows))


def test_a_mask_with_another_outline_is_another_list(split):
    rows, found = listing({"a": split}), dict(split.annotations)
    found[0] = [replace(found[0][0], segmentation=encode_rle(np.ones((8, 8), bool))), *found[0][1:]]
    with pytest.raises(UserError):
        check_registered(listing({"a": replace(split, annotations=found)}), digest(rows))


def test_a_split_without_masks_is_refused(split):
    with pytest.raises(UserError, match="no masks"):
        drawn(replace(split, annotations={i: [] for i in split.images}), 2, 1, 0)
