"""The one error that a user's mistake raises."""

from uncertsam.base.errors import UserError

__all__ = ["UserError"]
