"""Attachments: bytes, links, digests."""

from __future__ import annotations

import base64
import hashlib

import pytest

from .client import Client, error


def test_deleted_files_are_taken_off_the_account_and_uploads_never_added(client: Client) -> None:
    def used() -> int:
        return int(client.get("/account").json()["account"]["storageUsed"]["attachedFiles"])

    before = used()
    event = client.upload("counted.bin", b"12345")
    assert used() == before
    client.delete(f"/events/{event['id']}/{event['attachments'][0]['id']}")
    assert used() == before - 5


@pytest.mark.parametrize(("name", "size"), [("empty.bin", 0), ("Röntgen 体重 1,5 %.dat", 5000), ("large.bin", 1024 * 1024)])
def test_an_attachment_is_served_by_token_and_by_link(client: Client, name: str, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    file = client.upload(name, content[:size])["attachments"][0]
    event = client.get("/events?limit=1000", token=client.shared).json()["events"]
    own = next(one for one in event if one.get("attachments", [{}])[0].get("id") == file["id"])
    digest = base64.b64encode(hashlib.sha256(content[:size]).digest()).decode()
    assert (file["fileName"], file["size"], file["integrity"]) == (name, size, f"sha256-{digest}")
    path = f"/events/{own['id']}/{file['id']}"
    for answer in (client.get(path), client.get(f"{path}/any-name", params={"readToken": file["readToken"]}, token="")):
        assert answer.status_code == 200
        assert answer.content == content[:size]
        assert answer.headers["Digest"] == f"SHA-256={digest}"
    assert own["attachments"][0]["readToken"] != file["readToken"]


def test_an_attachment_can_be_added_later(client: Client) -> None:
    made = client.upload("one.bin", b"one")
    both = client.upload("two.bin", b"two", f"/events/{made['id']}")
    assert [one["fileName"] for one in both["attachments"]] == ["one.bin", "two.bin"]
    assert both["integrity"] != made["integrity"]


def test_wrong_links_to_an_attachment_are_refused(client: Client) -> None:
    event = client.upload("secret.bin", b"secret")
    file = event["attachments"][0]
    path = f"/events/{event['id']}/{file['id']}"
    read = file["readToken"]
    assert error(client.get(path, token="")) == (401, "invalid-access-token")
    assert error(client.get(f"{path}?auth={client.personal}", token="")) == (401, "invalid-access-token")
    wrong = client.get(path, token="", params={"readToken": f"{read[:-2]}xx"})
    assert error(wrong) == (401, "invalid-access-token")
    assert wrong.json()["error"]["message"] == "Invalid read token."
    assert error(client.get(path, token="", params={"readToken": "cnobody-abc"})) == (500, "unexpected-error")
    assert error(client.get(f"/events/{event['id']}/cnothing")) == (404, "unknown-resource")
