"""The documented entrance of the library; see `uncertsam.app.api`."""

from uncertsam.app.api.predictor import UncertaintyPredictor

__all__ = ["UncertaintyPredictor"]
