"""What crosses between the one who gives out shards and a worker: plain bytes, so that no backend has a say in them."""

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from uncertsam.base.errors import UserError
from uncertsam.base.stage import wait_passively


@dataclass(frozen=True)
class Died:
    """A worker that ended without an answer, and how: "it was ended by SIGKILL"."""

    how: str


@runtime_checkable
class Backend(Protocol):
    """Workers. At most `slots` shards are with them at a time."""

    slots: int

    def submit(self, number: int, message: bytes) -> None:
        """Give a shard's message (see `question`) to a worker that has nothing to do."""

    def wait(self) -> list[tuple[int, bytes | Died]]:
        """Block until some shards came back: each one's number, and its answer (see `answer`)."""

    def close(self) -> None:
        """End all workers, at work or not. Nothing of them is left afterwards."""


def question(work: Callable[[Any], Any], shard: Any) -> bytes:
    """A shard's message. Raises what pickle raises where `work` or the shard cannot be sent."""
    return pickle.dumps((work, shard))


def answer(message: bytes, threads: int) -> bytes:
    """Do a shard in a worker; the result, or the error that it raised. Never raises an Exception itself."""
    wait_passively()
    try:
        work, shard = pickle.loads(message)
        limit_threads(threads)  # here, since reading the message imported whatever `work` needs
        return pickle.dumps((True, work(shard)))
    except Exception as error:
        return _failure(error)


def opened_answer(data: bytes) -> tuple[bool, Any]:
    """(True, the result) or (False, the error)."""
    good, value = pickle.loads(data)
    return bool(good), value


def limit_threads(threads: int) -> None:
    """CPU threads of this process: of torch and OpenCV where they are loaded, and of what is loaded later."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    if torch is not None:
        torch.set_num_threads(threads)
    if cv2 is not None:
        cv2.setNumThreads(threads)


def _failure(error: Exception) -> bytes:
    """The error with its traceback, which would else stay in the worker; as text where it cannot be sent."""
    told = "".join(traceback.format_exception(error))
    if not isinstance(error, UserError):
        error.add_note(f"In a worker:\n{told}")
    try:
        data = pickle.dumps((False, error))
        pickle.loads(data)
        return data
    except Exception:
        return pickle.dumps((False, RuntimeError(told)))
