"""Streams and events."""

from __future__ import annotations

import re
import time

import pytest

from .client import Client, error

VOLATILE = {"time", "created", "modified", "integrity"}  # of the account's fields as events: they are of now


def test_streams_are_a_tree_with_the_virtual_ones(client: Client) -> None:
    made = client.post("/streams", {"id": "branch", "name": "Zweig", "parentId": "diary"})
    assert made.status_code == 201
    assert made.json()["stream"]["parentId"] == "diary"
    roots = {one["id"]: one for one in client.get("/streams").json()["streams"]}
    assert roots.keys() >= {"diary", ":_audit:", ":_emails:", ":_system:account"}
    assert "branch" in [one["id"] for one in roots["diary"]["children"]]
    own = client.get("/access-info", token=client.shared).json()["id"]
    seen = [one["id"] for one in client.get("/streams", token=client.shared).json()["streams"]]
    assert seen == ["diary", f":_audit:access-{own}"]


def test_a_stream_keeps_its_id_in_letters_of_any_case_and_its_data_merged(client: Client) -> None:
    assert client.post("/streams", {"id": "Ab C_d.É", "name": "slugged"}).json()["stream"]["id"] == "Ab-C_d.E"
    client.put("/streams/Ab-C_d.E", {"clientData": {"a": 1, "b": 2}})
    changed = client.put("/streams/Ab-C_d.E", {"clientData": {"a": None}, "parentId": "diary"}).json()["stream"]
    assert (changed["clientData"], changed["parentId"]) == ({"b": 2}, "diary")
    assert "children" not in changed
    event = client.event(streamIds=["Ab-C_d.E"])
    assert client.delete("/streams/Ab-C_d.E").json()["stream"]["trashed"] is True
    assert error(client.delete("/streams/Ab-C_d.E")) == (400, "invalid-parameters-format")
    merged = client.delete("/streams/Ab-C_d.E?mergeEventsWithParent=true").json()
    assert merged["updatedEvents"] == [{"action": "mergedToParent", "id": event["id"]}]
    assert client.get(f"/events/{event['id']}").json()["event"]["streamIds"] == ["diary"]


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
    gone = client.get("/streams?includeDeletionsSince=0").json()["streamDeletions"]
    assert {one["id"]: one.keys() for one in gone}["short-lived"] == {"id", "deleted"}
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
    def virtual() -> dict[str, dict[str, object]]:
        listed = client.get("/events?limit=1000").json()["events"]
        return {one["id"]: one for one in listed if one["id"].startswith(":")}

    first = virtual()
    time.sleep(0.01)
    second = virtual()
    assert first.keys() == {":system:email", ":_system:language", ":_system:dbDocuments", ":_system:attachedFiles"}
    assert first[":system:email"]["content"] == client.email
    assert {key for key in first[":system:email"] if first[":system:email"][key] != second[":system:email"][key]} == VOLATILE
    shared = client.get("/events?limit=1000", token=client.shared).json()["events"]
    assert not [one["id"] for one in shared if one["id"].startswith(":")]


def test_events_of_now_are_in_the_order_and_within_the_limit(client: Client) -> None:
    client.event(time=time.time() + 3600)
    (newest,) = client.get("/events", params={"limit": "1", "toTime": str(time.time() + 3601)}).json()["events"]
    assert not newest["id"].startswith(":")
    assert client.get("/events?limit=0").json()["events"] == []


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
    left = client.get(f"/events/{made['id']}")
    assert left.status_code == 200
    assert left.json()["event"].keys() == {"id", "deleted"}
    assert made["id"] not in [one["id"] for one in client.get("/events?limit=1000&state=all").json()["events"]]
    gone = client.get("/events?modifiedSince=0&includeDeletions=true").json()["eventDeletions"]
    assert gone[0].keys() == {"id", "deleted", "integrity"}
    assert gone[0]["id"] == made["id"]
    assert error(client.delete(f"/events/{made['id']}")) == (500, "unexpected-error")  # a bug of the real core


def test_no_versions_of_an_event_are_kept(client: Client) -> None:
    made = client.event()
    client.put(f"/events/{made['id']}", {"content": "second"})
    told = client.get(f"/events/{made['id']}?includeHistory=true").json()
    assert (told["event"]["content"], told["history"]) == ("second", [])


@pytest.mark.parametrize(("given", "shown"), [({"duration": 60}, 60), ({"duration": None}, None), ({"duration": 0}, "none")])
def test_an_event_may_last(client: Client, given: dict[str, object], shown: object) -> None:
    made = client.event("activity/plain", None, time=1700000000, **given)
    read = client.get(f"/events/{made['id']}").json()["event"]
    assert made == read
    assert read.get("duration", "none") == shown


def test_what_an_event_does_not_have_is_refused(client: Client) -> None:
    plain = {"streamIds": ["diary"], "type": "note/txt", "content": "x"}
    wrongs: list[dict[str, object]] = [{"tags": ["a"]}, {"weird": 1}, {"id": "short"}, {"type": "nope"}, {"streamIds": []}]
    for wrong in wrongs:
        assert error(client.post("/events", plain | wrong)) == (400, "invalid-parameters-format")
    made = client.event()
    assert error(client.put(f"/events/{made['id']}", {"created": 1})) == (403, "forbidden")
    assert error(client.get("/events", params={"streams": '["nowhere"]'})) == (400, "unknown-referenced-resource")
    assert error(client.get("/events?limit=x")) == (400, "invalid-parameters-format")


def test_identifiers_have_the_form_that_the_core_gives_them(client: Client) -> None:
    event = client.upload("form.bin", b"x")
    access = client.get("/access-info", token=client.shared).json()["id"]
    for one in (event["id"], event["attachments"][0]["id"], access, client.personal, client.shared):
        assert re.fullmatch("[a-z][a-z0-9]{23}", one)
    assert re.fullmatch(f"{event['createdBy']}-[\\w-]{{27}}", event["attachments"][0]["readToken"])


def test_a_head_is_answered_as_a_get_without_its_body(client: Client) -> None:
    answer = client.ask("HEAD", f"/{client.username}/events", token=client.personal)
    assert (answer.status_code, answer.content) == (200, b"")


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
