"""Streams, events, attachments, series, batches, the audit."""

from __future__ import annotations

import base64
import hashlib
import time

import pytest

from .client import Client, error

FLAT = {"format": "flatJSON", "fields": ["deltaTime", "value"]}


def test_streams_are_a_tree_with_the_virtual_ones(client: Client) -> None:
    made = client.post("/streams", {"id": "branch", "name": "Zweig", "parentId": "diary"})
    assert made.status_code == 201
    assert made.json()["stream"]["parentId"] == "diary"
    roots = {one["id"]: one for one in client.get("/streams").json()["streams"]}
    assert roots.keys() >= {"diary", ":_audit:", ":_emails:", ":_system:account"}
    assert "branch" in [one["id"] for one in roots["diary"]["children"]]
    assert [one["id"] for one in client.get("/streams", token=client.shared).json()["streams"]] == ["diary"]


def test_streams_with_a_taken_id_or_name_are_refused(client: Client) -> None:
    same_id = client.post("/streams", {"id": "diary", "name": "Another"})
    assert error(same_id) == (409, "item-already-exists")
    assert same_id.json()["error"]["data"] == {"id": "diary"}
    assert client.post("/streams", {"name": "Diary"}).json()["error"]["data"] == {"name": "Diary"}
    assert error(client.post("/streams", {"name": "Lost", "parentId": "nowhere"})) == (400, "unknown-referenced-resource")


def test_a_stream_is_trashed_first_then_deleted(client: Client) -> None:
    client.post("/streams", {"id": "short-lived", "name": "Short"})
    assert client.delete("/streams/short-lived").json()["stream"]["trashed"] is True
    assert client.delete("/streams/short-lived").json()["streamDeletion"] == {"id": "short-lived"}
    assert error(client.delete("/streams/short-lived")) == (404, "unknown-resource")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("note/txt", "Fièvre, 体重 ✓ \\ \"'\n"),
        ("mass/kg", 72.5),
        ("position/wgs84", {"latitude": 46.2, "longitude": 6.1}),
        ("nobody/knows", {"any": ["thing", None, 1, {"ü": True}]}),
    ],
)
def test_an_event_is_read_as_it_was_created(client: Client, kind: str, content: object) -> None:
    made = client.event(kind, content, time=1700000000.25, clientData={"a:b": 1}, description="ein Wort")
    assert made["content"] == content
    assert made["integrity"].startswith("EVENT:0:sha256-")
    assert made["created"] == made["modified"]
    assert client.get(f"/events/{made['id']}").json()["event"] == made
    assert made in client.get("/events?limit=1000", token=client.shared).json()["events"]


def test_numbers_are_written_as_javascript_does(client: Client) -> None:
    made = client.event("mass/kg", 72.0, time=1700000000.0)
    answer = client.get(f"/events/{made['id']}").text
    assert '"content":72,' in answer
    assert '"time":1700000000,' in answer


def test_events_are_listed_newest_first(client: Client) -> None:
    later = client.event(time=4000000000)
    latest = client.event(time=4000000001)
    listed = client.get("/events?limit=2", token=client.shared).json()["events"]
    assert [one["id"] for one in listed] == [latest["id"], later["id"]]


def test_the_user_sees_account_fields_as_events_that_move(client: Client) -> None:
    def virtual() -> list[dict[str, object]]:
        return [one for one in client.get("/events?limit=1").json()["events"] if one["id"].startswith(":")]

    first = virtual()
    time.sleep(0.01)
    second = virtual()
    assert client.email in [one["content"] for one in first]
    assert [one["id"] for one in first] == [one["id"] for one in second]
    assert first != second


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"streamIds": ["diary"], "type": "mass/kg", "content": "heavy"}, "invalid-parameters-format"),
        ({"streamIds": ["diary"], "content": "x"}, "invalid-parameters-format"),
        ({"streamIds": ["nowhere"], "type": "note/txt", "content": "x"}, "unknown-referenced-resource"),
        ({"streamIds": ["diary"], "type": "series:nobody/knows"}, "invalid-event-type"),
    ],
)
def test_bad_events_are_refused(client: Client, body: dict[str, object], refused: str) -> None:
    assert error(client.post("/events", body)) == (400, refused)


def test_a_changed_event_has_another_digest(client: Client) -> None:
    made = client.event()
    changed = client.put(f"/events/{made['id']}", {"content": "other"}).json()["event"]
    assert changed["content"] == "other"
    assert changed["integrity"] != made["integrity"]
    assert changed["modified"] >= made["modified"]


def test_an_event_is_trashed_first_then_deleted(client: Client) -> None:
    made = client.event()
    assert client.delete(f"/events/{made['id']}").json()["event"]["trashed"] is True
    assert made["id"] not in [one["id"] for one in client.get("/events?limit=1000").json()["events"]]
    assert client.get(f"/events/{made['id']}").json()["event"]["trashed"] is True
    assert client.delete(f"/events/{made['id']}").json()["eventDeletion"] == {"id": made["id"]}
    assert error(client.get(f"/events/{made['id']}")) == (404, "unknown-resource")


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


def test_a_series_takes_and_gives_points_on_both_ports(client: Client) -> None:
    event = client.event("series:mass/kg", None)
    bases = [base for base in (client.contract.url, client.contract.hfs_url) if base]
    for at, base in enumerate(bases):
        told = client.post(f"/events/{event['id']}/series", FLAT | {"points": [[0, 70], [at + 1, 71.5]]}, base=base)
        assert (told.status_code, told.json()["status"]) == (200, "ok")
    for base in bases:
        read = client.get(f"/events/{event['id']}/series", base=base).json()
        assert read["fields"] == ["deltaTime", "value"]
        assert read["points"] == [[0, 70], *([at + 1, 71.5] for at in range(len(bases)))]
    part = client.get(f"/events/{event['id']}/series?fromDeltaTime=1&toDeltaTime=2").json()["points"]
    assert part == [[1, 71.5]]
    assert client.get(f"/events/{event['id']}").json()["event"]["integrity"] == event["integrity"]


def test_a_point_of_the_same_time_replaces_the_older(client: Client) -> None:
    event = client.event("series:mass/kg", None)
    for value in (1, 2):
        data = [{"eventId": event["id"], "data": FLAT | {"points": [[5, value]]}}]
        assert client.post("/series/batch", {"format": "seriesBatch", "data": data}).json()["status"] == "ok"
    assert client.get(f"/events/{event['id']}/series").json()["points"] == [[5, 2]]


def test_bad_series_calls_are_refused_without_meta(client: Client) -> None:
    series, note = client.event("series:mass/kg", None), client.event()
    path = f"/events/{series['id']}/series"
    bad_fields = client.post(path, {"format": "flatJSON", "fields": ["deltaTime", "other"], "points": [[0, 1]]})
    assert error(bad_fields) == (400, "invalid-request-structure")
    assert "meta" not in bad_fields.json()
    assert error(client.post(f"/events/{note['id']}/series", FLAT | {"points": []})) == (400, "invalid-operation")
    assert error(client.get(path, token="wrong")) == (403, "invalid-access-token")
    assert error(client.get(path, token="")) == (401, "missing-header")
    unknown = client.get("/events/nonexistent/series")
    assert error(unknown) == (404, "unknown-resource")
    assert unknown.json()["error"]["message"] == 'Unknown event "nonexistent"'


@pytest.mark.parametrize("host", ["pryvcore.example.com", "localhost"])
def test_a_host_that_looks_like_a_username_hides_the_series(client: Client, host: str) -> None:
    event = client.event("series:mass/kg", None)
    path = f"/events/{event['id']}/series"
    for base in (client.contract.url, client.contract.hfs_url):
        if base:
            assert error(client.get(path, base=base, headers={"Host": host})) == (404, "unknown-resource")
    assert client.get(path, headers={"Host": "core.example.com"}).status_code == 200


def test_a_batch_answers_each_call_in_its_place(client: Client) -> None:
    calls = [
        {"method": "events.create", "params": {"streamIds": ["diary"], "type": "note/txt", "content": "in a batch"}},
        {"method": "nobody.knows", "params": {}},
        {"method": "streams.get", "params": {}},
    ]
    answer = client.post("", calls)
    made, unknown, streams = answer.json()["results"]
    assert answer.status_code == 200
    assert client.get(f"/events/{made['event']['id']}").status_code == 200
    assert unknown["error"]["id"] == "invalid-method"
    assert streams["streams"]


def test_the_audit_tells_the_user_each_call(client: Client) -> None:
    event = client.event()
    client.get(f"/events/{event['id']}", token=client.shared)
    client.get("/events/nonexistent")
    audited = client.get("/events", params={"streams": '[":_audit:accesses"]', "limit": "50"}).json()["events"]
    assert {one["type"] for one in audited} == {"audit-log/pryv-api", "audit-log/pryv-api-error"}
    assert all(one["id"].startswith(":_audit:") for one in audited)
    assert {one["content"]["action"] for one in audited} >= {"events.create", "events.getOne"}
    assert audited[0]["content"].keys() >= {"source", "action", "query"}
    assert client.get("/audit/logs").status_code == 404


def test_series_calls_are_not_audited(client: Client) -> None:
    event = client.event("series:mass/kg", None)
    client.post(f"/events/{event['id']}/series", FLAT | {"points": [[0, 1]]})
    audited = client.get("/events", params={"streams": '[":_audit:accesses"]', "limit": "1"}).json()["events"]
    assert audited[0]["content"]["action"] == "events.create"


def test_a_body_in_chunks_is_read_whole(client: Client) -> None:
    body = [b'{"streamIds": ["diary"], "type": "note/txt", ', '"content": "in Stücken"}'.encode()]
    headers = {"Content-Type": "application/json"}
    made = client.ask("POST", f"/{client.username}/events", token=client.personal, data=iter(body), headers=headers)
    assert made.json()["event"]["content"] == "in Stücken"


def test_events_can_be_chosen_by_stream_time_and_type(client: Client) -> None:
    client.post("/streams", {"id": "chosen", "name": "Chosen"})
    client.post("/streams", {"id": "below", "name": "Below", "parentId": "chosen"})
    old = client.event(streamIds=["below"], time=1000)
    new = client.event("mass/kg", 3, streamIds=["chosen"], time=2000)

    def listed(**query: str) -> list[str]:
        events = client.get("/events", params={"streams": '["chosen"]', **query}).json()["events"]
        return [one["id"] for one in events]

    assert listed() == [new["id"], old["id"]]
    assert listed(sortAscending="true") == [old["id"], new["id"]]
    assert listed(types="mass/kg") == listed(fromTime="1500") == listed(limit="1") == [new["id"]]
    assert listed(toTime="1500") == listed(skip="1") == [old["id"]]
