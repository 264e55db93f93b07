"""Finished shards outlive an attempt that breaks off, and nothing else."""

import errno

import pytest

from uncertsam.compute import kept_shards


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (None, []),
        (KeyboardInterrupt(), ["new", "new/shard"]),
        (OSError(errno.EACCES, "sealed"), ["new", "new/shard"]),
        (OSError(errno.ENOSPC, "full"), []),
    ],
)
def test_shards_are_kept_for_the_same_call_alone_unless_they_fill_the_disk(tmp_path, error, left):
    (tmp_path / "old").mkdir()
    try:
        with kept_shards(tmp_path, "new") as folder:
            folder.mkdir()
            (folder / "shard").touch()
            assert not (tmp_path / "old").exists()
            if error:
                raise error
    except (KeyboardInterrupt, OSError) as caught:
        assert caught is error
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == left
