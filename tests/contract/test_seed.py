"""Seeding: what is said to be in the core is there, and is the same for the same seed."""

from __future__ import annotations

import random
from urllib.parse import urlsplit

import pytest
import requests

from fixtures import seed as seeding
from fixtures.seed import Seeded, SeededUser, seed
from harness.errors import DeedFailed

from .client import Client, Contract
from .stage import ORIGIN, Stage


@pytest.fixture(scope="module")
def seeded(stage: Stage) -> Seeded:
    """Fill the stand-in."""
    return seed(stage.url, stage.admin_key, origin=ORIGIN)


def client_of(stage: Stage, user: SeededUser) -> Client:
    contract = Contract(stage.url, stage.hfs_url, stage.admin_key, ORIGIN)
    return Client(contract, user.username, user.email, user.personal, user.shared)


def test_the_core_holds_what_the_seed_says(stage: Stage, seeded: Seeded) -> None:
    assert len({user.username for user in seeded.users}) == 3
    for user in seeded.users:
        client = client_of(stage, user)
        listed = client.get("/events?limit=1000&state=all").json()["events"]
        events = [one for one in listed if not one["id"].startswith(":")]
        series = next(one for one in events if one["type"].startswith("series:"))
        files = [file for one in events for file in one.get("attachments", [])]
        points = client.get(f"/events/{series['id']}/series").json()["points"]
        assert (len(events), sum(one.get("trashed", False) for one in events)) == (user.events, user.trashed)
        assert (len(files), sum(file["size"] for file in files)) == (user.attachments, user.attachment_bytes)
        assert {file["fileName"] for file in files} == {name for name, _ in seeding.FILES}
        assert len(points) == user.points == 50
        assert len({one["type"] for one in events}) == 6
        assert client.login(password=user.password, appId="rehearsal-seed").json()["token"] == user.personal
        assert client.get("/access-info", token=user.shared).json()["type"] == "shared"
        assert client.get("/profile/public").json()["profile"].keys() == {"theme", "number"}
        client.session.close()
    assert (seeded.events, seeded.attachments, seeded.points) == (72, 12, 150)


def test_the_stream_tree_is_nested(stage: Stage, seeded: Seeded) -> None:
    client = client_of(stage, seeded.users[0])
    health = next(one for one in client.get("/streams").json()["streams"] if one["id"] == "health")
    assert [[leaf["id"] for leaf in one["children"]] for one in health["children"]] == [["pulse", "weight"]]
    client.session.close()


def test_seeding_twice_is_refused(stage: Stage, seeded: Seeded) -> None:
    assert seeded.users
    with pytest.raises(DeedFailed, match="POST /users: answered 409"):
        seed(stage.url, stage.admin_key, origin=ORIGIN, users=1)


def test_a_core_can_be_reached_at_another_address_than_its_name(stage: Stage) -> None:
    port = urlsplit(stage.url).port or 0
    made = seed(
        "http://core.test:3000", stage.admin_key, origin=ORIGIN, resolve=(urlsplit(stage.url).hostname or "", port), users=1, seed=2
    )
    assert made.users[0].username == "rehearsal-2-1"
    gone = requests.delete(f"{stage.url}/users/rehearsal-2-1", headers={"Authorization": stage.admin_key}, timeout=5)
    assert gone.status_code == 200


def test_the_content_is_the_same_for_the_same_seed() -> None:
    def content(seed: str) -> list[dict[str, object]]:
        return seeding._events(random.Random(seed), 20)  # noqa: S311 - content, not secrets

    assert content("1/1") == content("1/1")
    assert content("1/1") != content("2/1")
