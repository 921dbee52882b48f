"""Whether the model hub can be reached: without network its client would retry for a minute before it says so."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import constants


def use_cache_without_network() -> None:
    """Tell the hub's client to use its cache alone when the hub's name cannot be resolved.

    Behind a proxy names are not resolved here, so nothing is changed.
    """
    if "HF_HUB_OFFLINE" in os.environ or getproxies().get("https"):
        return
    host = urlsplit(constants.ENDPOINT).hostname or ""
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        constants.HF_HUB_OFFLINE = True
