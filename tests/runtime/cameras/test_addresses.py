"""Credentials of cameras: from the environment or the address, whole where they are needed and nowhere else."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.addresses import (
    credentials,
    credentials_of,
    is_address,
    with_credentials,
    without_credentials,
)

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=20)


@given(SECRETS, SECRETS)
def test_what_was_put_into_an_address_can_be_read_from_it_again(username: str, password: str) -> None:
    address = with_credentials("rtsp://old:older@127.0.0.1:8554/a?b=c", username, password)
    assert credentials_of(address) == (username, password)
    assert without_credentials(address) == "rtsp://127.0.0.1:8554/a?b=c"


@given(SECRETS)
def test_a_text_with_an_address_in_it_loses_its_password(password: str) -> None:
    text = f"cannot open rtsp://user:{quote(password, safe='')}@127.0.0.1/1 after 3 s"
    assert without_credentials(text) == "cannot open rtsp://127.0.0.1/1 after 3 s"


def test_what_is_no_address_stays_as_it_is() -> None:
    for source in ("0", "/dev/video0", "C:/parts/a@b.png", "mail@host"):
        assert not is_address(source)
        assert with_credentials(source, "user", "password") == source
        assert without_credentials(source) == source


def test_the_environment_goes_before_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "from the environment")
    source = "http://user:from-the-address@127.0.0.1/"
    assert credentials(source, None, None) == ("user", "from-the-address")
    assert credentials(source, None, "CAMERA_PASSWORD") == ("user", "from the environment")


def test_a_variable_that_is_not_set_is_said_in_a_sentence() -> None:
    with pytest.raises(NandEdgeError, match="NO_SUCH_VARIABLE"):
        credentials("http://127.0.0.1/", None, "NO_SUCH_VARIABLE")
