"""The command `uncertsam`; see `uncertsam.app.cli`."""

from uncertsam.app.cli import app, main

__all__ = ["app", "main"]
