"""Series on both ports, batches, the audit."""

from __future__ import annotations

import pytest

from .client import Client, error

FLAT = {"format": "flatJSON", "fields": ["deltaTime", "value"]}


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
    assert client.get(f"/events/{note['id']}/series").json()["points"] == []
    assert client.get(path).json()["fields"] == []
    assert error(client.post(path, FLAT | {"points": [[0, "heavy"]]})) == (400, "invalid-request-structure")
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
