"""The core's HTTP API: requests as values, and the one place that sends them.

Every request goes to the public name, its certificate verified for that name; only where the connection leads differs: to the
address that the name's servers give, or to one host through its SSH connection.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import secrets
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.fields import RequestField

from harness.deed import HttpAnswer, HttpRequest, Role, Secret
from harness.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

JSON = "application/json"
OUTSIDE = "outside"
ANOTHER_HOST = ("127.0.0.2", 0)
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def by_address(address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connection to an address."""
    return socket.create_connection((address, port), timeout_s)


def from_outside(address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connection to an address as another host makes it: on the loopback network 127.0.0.1 is the host itself."""
    own = ANOTHER_HOST if ipaddress.ip_address(address) in LOOPBACK else None
    return socket.create_connection((address, port), timeout_s, source_address=own)


def by_socket(path: Path, timeout_s: float) -> socket.socket:
    """Return a connection to a Unix socket (an SSH forward)."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _pool_for(dial: Callable[[], socket.socket], seen: list[str]) -> type[HTTPSConnectionPool]:
    """Return a connection pool whose connections lead where `dial` leads; name, SNI and verification stay the URL's.

    When the verified certificates end is appended to `seen`.
    """

    class Dialled(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return dial()

        def connect(self) -> None:
            super().connect()
            shown = self.sock.getpeercert() if isinstance(self.sock, ssl.SSLSocket) else None
            seen.append(str((shown or {}).get("notAfter", "")))

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Dialled

    return Pool


class _Adapter(requests.adapters.HTTPAdapter):
    def __init__(self, dial: Callable[[], socket.socket]) -> None:
        self._dial = dial
        self.seen: list[str] = []
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' signature
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": _pool_for(self._dial, self.seen)}


def _value(value: str | Secret) -> str:
    return value.value if isinstance(value, Secret) else value


def send(request: HttpRequest, public_url: str, ca_file: str | None, dial: Callable[[], socket.socket]) -> HttpAnswer:
    """Send a request over verified TLS; raises Unreachable when no whole answer comes."""
    began = time.monotonic()
    headers = {name: _value(value) for name, value in request.headers.items()}
    with requests.Session() as session:
        session.trust_env = False
        adapter = _Adapter(dial)
        session.mount("https://", adapter)
        url = public_url.rstrip("/") + request.path
        try:
            answer = session.request(
                request.method,
                url,
                headers=headers,
                data=request.body or None,
                timeout=request.timeout_s,
                verify=ca_file or True,
                allow_redirects=False,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # Not "from error": requests' own texts hold the URL, and the URL of a link holds its readToken.
            cause = _cause(error).replace(request.path, request.shown_path)
            raise Unreachable(f"{public_url} by {request.via}", f"asking {request}", cause) from None
    lower = {name.lower(): value for name, value in answer.headers.items()}
    return HttpAnswer(request, answer.status_code, lower, answer.content, time.monotonic() - began, *adapter.seen[-1:])


def _cause(error: BaseException) -> str:
    """Return the innermost cause, which is what an operator can act on."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"


def call(
    method: str, path: str, body: object = None, *, token: Secret | None = None, via: Role | str = "public", **headers: str
) -> HttpRequest:
    """Return an API call with a JSON body."""
    sent: dict[str, str | Secret] = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["Authorization"] = token
    data = b""
    if body is not None:
        sent["Content-Type"] = JSON
        data = json.dumps(body, ensure_ascii=False).encode()
    return HttpRequest(method, path, sent, data, via)


def websocket(token: Secret, resource: str = "") -> HttpRequest:
    """Return the opening of a websocket (RFC 6455, its key random) as socket.io's clients do it, for a user's namespace or none."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    of = f"&resource={resource}" if resource else ""
    return HttpRequest("GET", f"/socket.io/?EIO=4&transport=websocket&auth={quote(token.value)}{of}", dict(headers))


def upload(path: str, event: Mapping[str, Any], name: str, content: bytes, *, token: Secret, via: Role | str) -> HttpRequest:
    """Return the creation of an event with an attachment (multipart: the event, then the file)."""
    sent = RequestField("event", json.dumps(event), headers={"Content-Type": JSON})
    sent.make_multipart(content_type=JSON)
    fields = [sent, RequestField.from_tuples("file", (name, content, "application/octet-stream"))]
    body, kind = urllib3.encode_multipart_formdata(fields, boundary="pryv-core-migration-6f0d5c")
    return HttpRequest("POST", path, {"Authorization": token, "Content-Type": kind}, body, via, timeout_s=60.0)


def attachment(
    username: str, event: str, file: str, *, token: Secret | None = None, read: str = "", via: Role | str
) -> HttpRequest:
    """Return the reading of an attachment, by a token or by the link's readToken."""
    query = f"?readToken={quote(read)}" if read else ""
    headers = {"Authorization": token} if token else {}
    return HttpRequest("GET", f"/{username}/events/{event}/{file}{query}", headers, b"", via, timeout_s=60.0)
