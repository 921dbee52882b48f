"""Passwords: which are good enough, and their hashes, which cost whoever guesses memory and time."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from nand_edge.errors import NandEdgeError

SHORTEST, LONGEST = 10, 256

# One lane, so that a sign-in takes one core and not all of them from the engine: about 80 ms on a small device.
_HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""None that is taken for another when it is typed from a screen."""

_NOBODY = _HASHER.hash(secrets.token_hex())


def hash_password(password: str, *, name: str) -> str:
    """The hash to keep of a new password.

    Args:
        password: The password.
        name: Whose it is.

    Raises:
        NandEdgeError: It is too short, too long, or the name itself.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise _not_good(f"one of {len(password)} characters")
    if len(set(password)) < 4 or name.casefold() in (password.casefold(), password.casefold()[::-1]):
        raise _not_good("one that is easily guessed")
    return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def is_password(password: str, hashed: str | None) -> bool:
    """Whether it is the password of a hash; it takes as long where there is none, so that nobody learns who exists."""
    if len(password) > LONGEST:
        return False
    try:
        matches = _HASHER.verify(hashed or _NOBODY, password.encode("utf-8", "surrogatepass"))
    except (Argon2Error, InvalidHashError):
        return False
    return matches and hashed is not None


def generated_password() -> str:
    """A password of 16 letters and digits in groups of four, with 79 bits of chance."""
    letters = [secrets.choice(_LETTERS) for _ in range(16)]
    return "-".join("".join(letters[place : place + 4]) for place in range(0, 16, 4))


def _not_good(found: str) -> NandEdgeError:
    return NandEdgeError(
        "the new password",
        found=found,
        needed=f"{SHORTEST} to {LONGEST} characters that are not easily guessed",
        do="choose another, such as four words that do not belong together",
    )
