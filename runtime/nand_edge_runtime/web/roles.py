"""The roles: what somebody may do on the live page, each more than the one before."""

from __future__ import annotations

from enum import Enum


class Role(str, Enum):
    """What somebody may do."""

    VIEWER = "viewer"
    """Looks."""
    OPERATOR = "operator"
    """Also pauses, resumes, switches normalities and moves the threshold."""
    ENGINEER = "engineer"
    """Also adds normalities and manages users."""

    def may(self, needed: Role) -> bool:
        """Whether this role may do what that one may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
