"""Seeding: what is said to be in the core is there, and is the same for the same seed."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests

from fixtures.seeding import Amount, Seeded, SeededUser, seed
from fixtures.seeding.content import DELETED_ACCESS, FILES, LARGE, NOTES, person
from harness.errors import DeedFailed

from .client import Client, Contract
from .stage import ORIGIN, Stage


@pytest.fixture(scope="module")
def seeded(stage: Stage) -> Seeded:
    """Fill the core."""
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
        assert {file["fileName"] for file in files} >= {name for name, _ in FILES}
        assert len(points) == user.points == 50
        assert len({one["type"] for one in events}) == 6
        assert client.login(password=user.password, appId="rehearsal-seed").json()["token"] == user.personal
        assert client.get("/profile/public").json()["profile"].keys() >= {"theme", "number"}
        client.session.close()
    assert (seeded.events, seeded.attachments, seeded.points) == (64, 16, 150)
    assert seeded.users[0].attachment_bytes > LARGE[1]


def test_what_was_deleted_is_gone_and_what_was_changed_is_changed(stage: Stage, seeded: Seeded) -> None:
    client, known = client_of(stage, seeded.users[0]), person(1, 1, 20)
    events = {one["id"]: one for one in client.get("/events?limit=1000&state=all").json()["events"]}
    assert [one for one in known.deleted if one in events] == []
    assert all(events[one]["trashed"] for one in known.trashed)
    assert {events[one]["description"] for one in known.changed} == {"corrigé ✓"}
    assert client.get(f"/events/{known.deleted[0]}").status_code in {200, 404}
    streams = {one["id"] for one in client.get("/streams?state=all").json()["streams"]}
    assert streams >= {"health", "diary"}
    assert "mistake" not in streams
    client.session.close()


def test_text_of_all_languages_comes_back_as_it_was(stage: Stage, seeded: Seeded) -> None:
    client, known = client_of(stage, seeded.users[1]), person(1, 2, 20)
    told = {one["content"] for one in client.get("/events?limit=1000&types[]=note/txt").json()["events"]}
    gone = {*known.trashed, *known.deleted}
    assert told == {one["content"] for one in known.events if one["type"] == "note/txt" and one["id"] not in gone}
    assert len({note for note in NOTES if note and any(one.startswith(note) for one in told)}) >= 2
    client.session.close()


def test_accesses_and_webhooks_are_there(stage: Stage, seeded: Seeded) -> None:
    for user in seeded.users:
        client = client_of(stage, user)
        listed = [one for one in client.get("/accesses").json()["accesses"] if one["type"] != "personal"]
        assert sorted(one["type"] for one in listed) == ["app", "shared", "shared"]
        assert len(listed) == user.accesses
        assert DELETED_ACCESS not in {one["name"] for one in listed}
        assert client.get("/access-info", token=user.shared).json()["type"] == "shared"
        assert client.get("/access-info", token=user.app).json()["type"] == "app"
        webhooks = client.get("/webhooks", token=user.app).json()["webhooks"]
        assert len(webhooks) == user.webhooks == 1
        assert webhooks[0]["url"].startswith(f"http://127.0.0.1:9/{user.username}")
        client.session.close()


def test_the_stream_tree_is_nested(stage: Stage, seeded: Seeded) -> None:
    client = client_of(stage, seeded.users[0])
    health = next(one for one in client.get("/streams").json()["streams"] if one["id"] == "health")
    [vitals] = health["children"]
    assert sorted(leaf["id"] for leaf in vitals["children"]) == ["pulse", "weight"]
    client.session.close()


def test_seeding_twice_is_refused(stage: Stage, seeded: Seeded) -> None:
    assert seeded.users
    with pytest.raises(DeedFailed, match="POST /users: answered 409"):
        seed(stage.url, stage.admin_key, origin=ORIGIN, much=Amount(1, 20))


def test_a_core_can_be_reached_at_another_address_than_its_name(stage: Stage) -> None:
    url = urlsplit(stage.url)
    resolve = (url.hostname or "", url.port or 0)
    made = seed("http://core.test:3000", stage.admin_key, origin=ORIGIN, resolve=resolve, much=Amount(1, 20), seed=2)
    assert made.users[0].username == "rehearsal-2-1"
    gone = requests.delete(f"{stage.url}/users/rehearsal-2-1", headers={"Authorization": stage.admin_key}, timeout=5)
    assert gone.status_code == 200
