"""Messages come whole and in order, open files with them; the other side's death is heard at once."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pace import within

from nand_edge_runtime.engine_process.channel import Channel, ChannelClosedError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="open files cross sockets of Unix alone")

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def both_ends() -> tuple[Channel, Channel]:
    own, other = Channel.pair()
    return own, Channel(other)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=5))
def test_messages_come_as_they_were_sent(messages: list[dict[str, Any]]) -> None:
    near, far = both_ends()
    for message in messages:
        near.send(message)
    assert [far.receive(1.0) for _ in messages] == messages
    assert far.receive(0.0) is None
    near.close()
    far.close()


def test_a_message_larger_than_the_sockets_buffer_comes_whole() -> None:
    near, far = both_ends()
    large = {"words": "x" * 3_000_000}
    sending = threading.Thread(target=near.send, args=(large,), daemon=True)
    sending.start()
    assert far.receive(5.0) == large
    sending.join(5.0)


def test_open_files_come_with_their_message() -> None:
    near, far = both_ends()
    files = [os.memfd_create(name) for name in ("one", "two", "three")]
    for place, file in enumerate(files):
        os.write(file, bytes([place]))
    near.send({"files": 2}, files[:2])
    near.send({"files": 1}, files[2:])
    received = []
    for expected in (2, 1):
        message = far.receive(1.0)
        assert message == {"files": expected}
        received += far.take_descriptors(expected)
    assert [os.pread(file, 1, 0) for file in received] == [b"\0", b"\1", b"\2"]
    with pytest.raises(ChannelClosedError, match="0 open files instead of 1"):
        far.take_descriptors(1)
    for file in (*files, *received):
        os.close(file)


def test_waiting_ends_with_its_time() -> None:
    _, far = both_ends()
    started = time.monotonic()
    with within(1.0):
        assert far.receive(0.05) is None
    assert time.monotonic() - started > 0.04


def test_whether_something_came_is_known_without_taking_it() -> None:
    near, far = both_ends()
    assert not far.has_input()
    near.send({"is": "there"})
    assert far.has_input()
    assert far.receive(1.0) == {"is": "there"}
    assert not far.has_input()


def test_the_other_sides_end_is_heard() -> None:
    near, far = both_ends()
    near.close()
    with pytest.raises(ChannelClosedError):
        far.receive(1.0)
    with pytest.raises(ChannelClosedError):
        far.send({})


def test_shutting_down_wakes_whoever_waits() -> None:
    _, far = both_ends()
    threading.Timer(0.05, far.shut_down).start()
    with within(2.0), pytest.raises(ChannelClosedError):
        far.receive(10.0)


def test_what_is_no_message_is_refused() -> None:
    own, other = socket.socketpair()
    channel = Channel(own)
    other.sendall(struct.pack("!I", 1 << 30) + b"{}")
    with pytest.raises(ChannelClosedError, match="1073741824 bytes"):
        channel.receive(1.0)
