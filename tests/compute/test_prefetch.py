"""What the next shards need is read while one is at work: nothing else changes."""

import threading

import pytest

from uncertsam.base.errors import UserError
from uncertsam.compute import Pool
from uncertsam.compute._prefetch import READERS, TwoParts, ahead


class Halves:
    """Doubles a shard; notes what was done. The first shard is finished only once the second is read."""

    def __init__(self, bad=None):
        self.read, self.finished, self.bad = [], [], bad
        self.second_is_read = threading.Event()

    def __call__(self, shard):
        return self.finish(self.prepare(shard))

    def prepare(self, shard):
        if shard == self.bad:
            raise UserError(f"Shard {shard} is bad.", "Mend it.")
        self.read.append(shard)
        if shard == 1:
            self.second_is_read.set()
        return shard, threading.get_ident()

    def finish(self, ready):
        shard, reader = ready
        assert reader != threading.get_ident()
        assert self.second_is_read.wait(10), "nothing was read ahead"
        assert len(self.read) <= len(self.finished) + READERS + 1, "too much was read ahead"
        self.finished.append(shard)
        return 2 * shard


def test_the_next_shards_are_read_while_one_is_at_work_but_not_all_of_them():
    work = Halves()
    assert isinstance(work, TwoParts)
    assert Pool().map(work, range(20)) == [2 * shard for shard in range(20)]
    assert work.finished == list(range(20))


def test_an_error_in_reading_comes_in_its_turn():
    work, found = Halves(bad=7), []
    with pytest.raises(UserError, match="Shard 7 is bad"):
        for result in Pool().stream(work, range(20)):
            found.append(result)
    assert work.finished == list(range(7)) and found == [2 * shard for shard in range(7)]


def test_who_stops_asking_leaves_nothing_behind():
    before, work = threading.active_count(), Halves()
    coming = ahead(work, enumerate(range(1000)))
    assert next(coming) == (0, 0)
    coming.close()
    assert threading.active_count() == before and len(work.read) <= READERS + 1


def test_without_shards_there_are_no_results():
    assert Pool().map(Halves(), []) == []
