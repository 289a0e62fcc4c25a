"""Starting and stopping a core in a test, and looking whether it serves what a user had stored."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from .client import Client, Contract
from .cluster import until
from .stage import ORIGIN, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

own_core = pytest.mark.skipif("CONTRACT_CORE_URL" in os.environ, reason="a core was given: only its API is examined")
CONTENT = b"attached bytes" * 1000
POINTS = {"format": "flatJSON", "fields": ["deltaTime", "value"], "points": [[0, 70], [1, 71.5]]}
WHOLE = [True, True, 200, [[0, 70], [1, 71.5]], 200, True, 401]


@contextmanager
def running(
    stage: Stage, *argv: str, prefix: tuple[str, ...] = (), env: Mapping[str, str] | None = None, named: bool = True
) -> Iterator[Client]:
    """Start the core, and stop it if the test did not; the client has no user yet. Unless `named`, no --config is given."""
    stage.start(*argv, prefix=prefix, env=env, named=named)
    client = Client(Contract(stage.url, stage.hfs_url, stage.admin_key, ORIGIN), "", "")
    try:
        yield client
    finally:
        client.session.close()
        if stage.process:
            stage.stop()


def became(client: Client, known: Client) -> Client:
    """Return a client of a core with the name and tokens of a user from before."""
    client.username, client.email, client.personal, client.shared = known.username, known.email, known.personal, known.shared
    return client


@contextmanager
def launched(stage: Stage) -> Iterator[Client]:
    """Give a client of a core that was launched by hand, and stop it."""
    client = Client(Contract(stage.url, stage.hfs_url, stage.admin_key, ORIGIN), "", "")
    try:
        yield client
    finally:
        client.session.close()
        stage.stop()


def stored(stage: Stage) -> dict[str, Any]:
    """Make a user with a note, an attachment and a series, and stop the core: {client, note, file, series}."""
    with running(stage) as client:
        user = Client.registered(client.contract)
        series = user.event("series:mass/kg", None)
        user.post(f"/events/{series['id']}/series", POINTS)
        made = {"client": user, "note": user.event(content="早安"), "file": user.upload("known.bin", CONTENT), "series": series}
        stage.stop()
    return made


def served(client: Client, known: dict[str, Any]) -> list[object]:
    """Return what a core serves of the known user's data."""
    became(client, known["client"])
    file = known["file"]["attachments"][0]
    path = f"/events/{known['file']['id']}/{file['id']}"
    return [
        client.get(f"/events/{known['note']['id']}").json()["event"] == known["note"],
        client.get(path).content == CONTENT,
        client.get(path, token="", params={"readToken": file["readToken"]}).status_code,
        client.get(f"/events/{known['series']['id']}/series").json()["points"],
        client.get("/access-info", token=client.shared).status_code,
        client.login().json()["token"] == client.personal,
        client.login(password="wrong-one").status_code,
    ]


def lines(stage: Stage) -> list[str]:
    """Return the core's output without colours."""
    return re.sub("\x1b\\[[0-9;]*m", "", stage.log).splitlines()


def at(stage: Stage, text: str, after: str = "") -> int:
    """Return the number of the first line that contains a text, looked for from the first that contains another."""
    found = list(enumerate(lines(stage)))
    begin = next(number for number, line in found if after in line)
    return next(number for number, line in found if number >= begin and text in line)


def all_ready(stage: Stage) -> None:
    """Wait until all workers have said that they are there."""
    for text in (
        "w0:serverRoot] Startup",
        "w1:serverRoot] Startup",
        "[hfs-server-hfs0:server] started.",
        "prev0:server] Server ready",
    ):
        said(stage, text)


def lines_at(stage: Stage, text: str) -> list[str]:
    """Return the lines that contain a text."""
    return [line for line in lines(stage) if text in line]


def pid_of(stage: Stage, worker: str) -> int:
    """Return a worker's pid, as the master told it last."""
    return int(re.findall(rf"{worker} started \(pid (\d+)\)", stage.log)[-1])


def said(stage: Stage, text: str) -> None:
    """Wait until the core has printed a text."""
    until(lambda: text in stage.log or None, lambda: f"{text!r} is not in {stage.log}")
