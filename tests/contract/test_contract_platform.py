"""Routing, the administrator's view, health checks, refusals that every call shares."""

from __future__ import annotations

from .client import Client, error


def test_strangers_and_wrong_tokens_are_told_apart(client: Client) -> None:
    assert error(client.get("/access-info", token="")) == (401, "invalid-access-token")
    wrong = client.get("/access-info", token="c" + "0" * 24)
    assert error(wrong) == (403, "invalid-access-token")
    assert wrong.json()["error"]["message"] == "Cannot find access from token."
    assert wrong.json()["meta"]["serial"]
    assert error(client.ask("GET", "/nobody-here/access-info", token=client.personal)) == (404, "unknown-resource")


def test_a_token_may_come_in_the_query(client: Client) -> None:
    assert client.get(f"/access-info?auth={client.shared}", token="").json()["type"] == "shared"


def test_every_answer_says_its_version(client: Client) -> None:
    answer = client.get("/events?limit=1")
    assert answer.headers["API-Version"] == answer.json()["meta"]["apiVersion"]
    assert answer.headers["Content-Type"].startswith("application/json")


def test_the_root_greets(client: Client) -> None:
    assert client.ask("GET", "/", headers={"Accept": "application/json"}).json()["cheersFrom"] == "Pryv API"


def test_options_is_answered_whatever_is_asked(client: Client) -> None:
    for path in (f"/{client.username}/events/nonexistent/series", "/nobody-here/events", "/no/such/path"):
        assert client.ask("OPTIONS", path).status_code == 200


def test_the_documented_health_checks_pass(client: Client) -> None:
    event = client.event(time=4100000000)
    assert client.ask("GET", f"/reg/{client.username}/check_username").json()["reserved"] is True
    assert [one["id"] for one in client.get("/events?limit=1", token=client.shared).json()["events"]] == [event["id"]]
    series = client.get("/events/nonexistent/series", token=client.shared)
    assert (series.status_code, series.json()["error"]["message"]) == (404, 'Unknown event "nonexistent"')


def test_the_hfs_says_only_that_its_process_lives(client: Client) -> None:
    if client.contract.hfs_url:
        assert client.ask("GET", "/system/status", base=client.contract.hfs_url).json() == {"status": "ok"}
    assert error(client.ask("GET", "/system/status")) == (404, "unknown-resource")


def test_the_listing_has_the_core_once_and_no_address(client: Client) -> None:
    (core,) = client.admin("GET", "/system/admin/cores").json()["cores"]
    assert core.keys() == {"id", "url", "hosting", "available", "userCount"}
    assert core["available"] is True
    assert core["userCount"] >= 1


def test_the_administrator_sees_the_users(client: Client) -> None:
    users = client.admin("GET", "/system/admin/users").json()["users"]
    (own,) = [one for one in users if one["username"] == client.username]
    assert (own["email"], own["language"], len(own["id"])) == (client.email, "fr", 24)
    assert client.admin("GET", f"/system/user-info/{client.username}").json()["userInfo"]["username"] == client.username
    assert error(client.admin("DELETE", f"/system/users/{client.username}")) == (400, "invalid-operation")


def test_nobody_else_hears_of_the_administration(client: Client) -> None:
    for token in ("", "wrong", client.personal):
        assert error(client.ask("GET", "/system/admin/cores", token=token)) == (404, "unknown-resource")


def test_the_platform_is_whole(client: Client) -> None:
    checks = client.admin("GET", "/system/check-platform-integrity").json()["checks"]
    assert [one["title"] for one in checks] == ["Platform DB vs users repository", "Users local index vs database"]
    assert [one["errors"] for one in checks] == [[], []]
    assert all(one["infos"] for one in checks)


def test_a_user_is_routed_by_name_only(client: Client) -> None:
    found = client.ask("GET", f"/reg/cores?username={client.username}")
    assert found.json()["core"]["url"].endswith(f"/{client.username}/")
    assert error(client.ask("GET", "/reg/cores?username=nobody-here")) == (404, "unknown-resource")
    assert client.ask("GET", "/reg/cores").status_code == 400
    by_email = client.ask("GET", f"/reg/cores?email={client.email}")
    assert by_email.json()["error"]["message"] == 'Unknown user "<hashed>"'


def test_the_hosting_is_available(client: Client) -> None:
    hosting = client.ask("GET", "/reg/hostings").json()["regions"]["default"]["zones"]["default"]["hostings"]["default"]
    assert hosting["available"] is True
    assert hosting["availableCore"].endswith("/")
