"""Websockets: what opens, and who may join a user's namespace."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from .client import Client

LONG = 126


@contextmanager
def opened(client: Client, token: str | None) -> Iterator[tuple[socket.socket, BinaryIO]]:
    """Open a websocket as socket.io 4 does, and yield it once it is switched."""
    url = urlsplit(client.contract.url)
    with socket.create_connection((url.hostname or "", url.port or 80), timeout=10) as connection:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        auth = "" if token is None else f"&auth={token}"
        lines = (
            f"GET /socket.io/?EIO=4&transport=websocket{auth} HTTP/1.1",
            "Host: core.test",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        with connection.makefile("rb") as told:
            assert told.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
            while told.readline().strip():
                pass
            yield connection, told


def packet(told: BinaryIO) -> str:
    """Read one short text frame."""
    kind, size = told.read(2)
    assert kind == 0x81
    return told.read(int.from_bytes(told.read(2)) if size == LONG else size).decode()


def send(connection: socket.socket, text: str) -> None:
    """Send one short text frame, masked as a client must."""
    mask, data = os.urandom(4), text.encode()
    connection.sendall(bytes((0x81, 0x80 | len(data))) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))


def joined(client: Client, token: str | None, username: str = "") -> tuple[str, dict[str, Any]]:
    """Join a user's namespace; returns the kind of packet that answers, and what it says."""
    namespace = f"/{username or client.username}"
    with opened(client, token) as (connection, told):
        assert packet(told).startswith("0{")
        send(connection, f"40{namespace},")
        kind, said = packet(told).split(f"{namespace},", 1)
        return kind, json.loads(said)


def test_a_websocket_opens_for_everybody_with_an_open_packet(client: Client) -> None:
    with opened(client, "nobodys") as (_, told):
        first = packet(told)
    said = json.loads(first.removeprefix("0"))
    assert sorted(said) == ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]
    assert (said["upgrades"], said["pingInterval"], said["pingTimeout"], said["maxPayload"]) == ([], 25000, 20000, 1000000)


def test_a_namespace_is_joined_with_a_token_of_its_user_only(client: Client) -> None:
    kind, said = joined(client, client.personal)
    assert (kind, sorted(said)) == ("40", ["sid"])
    assert joined(client, client.shared)[0] == "40"
    for wrong in ("nobodys", ""):
        assert joined(client, wrong) == ("44", {"message": "Cannot find access from token.", "data": None})
    unknown = joined(client, client.personal, "nobody-of-that-name")
    assert unknown == ("44", {"message": 'Unknown user "nobody-of-that-name"', "data": None})
    assert joined(client, client.personal, "x") == ("44", {"message": 'Invalid resource "/x".'})
    without = ("44", {"message": "Missing 'auth' parameter with a valid access token."})
    assert joined(client, None) == without


def test_there_is_no_long_polling(client: Client) -> None:
    told = client.ask("GET", "/socket.io/?EIO=4&transport=polling")
    assert (told.status_code, told.json()) == (400, {"code": 0, "message": "Transport unknown"})
    plain = client.ask("GET", "/socket.io/?EIO=4&transport=websocket")
    assert (plain.status_code, plain.json()) == (400, {"code": 3, "message": "Bad request"})
