"""Service info, registration, look-ups, sign-in, account, profiles, accesses."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from .client import PASSWORD, Client, Contract, error

if TYPE_CHECKING:
    from .stage import Stage


def test_the_service_info_speaks_of_the_public_url_whatever_was_asked(client: Client) -> None:
    by_registry = client.ask("GET", "/reg/service/info", headers={"Host": "other.example:1"}).json()
    by_user = client.get("/service/info", token="").json()
    assert by_registry.keys() >= {
        "name",
        "serial",
        "access",
        "api",
        "register",
        "home",
        "support",
        "terms",
        "eventTypes",
        "version",
    }
    assert by_registry["api"].endswith("/{username}/")
    assert "other.example" not in str(by_registry)
    assert by_registry["features"]["contentQueries"] is True
    assert by_registry | {"meta": None} == by_user | {"meta": None}
    assert by_registry["meta"].keys() == {"apiVersion", "serverTime", "serial"}
    assert by_registry["meta"]["serial"] == by_registry["serial"]


def test_the_service_info_without_a_user_is_taken_for_one(client: Client) -> None:
    answer = client.ask("GET", "/service/info")
    assert error(answer) == (404, "unknown-resource")
    assert answer.json()["error"]["message"] == 'Unknown user "service"'


def test_registering_gives_an_endpoint_with_a_personal_token(client: Client) -> None:
    name = f"{client.username}-b"
    made = client.ask("POST", "/reg/users", client.account(username=name, email=f"{name}@example.test"))
    assert made.status_code == 201
    token = made.json()["apiEndpoint"].split("//")[1].split("@")[0]
    assert client.ask("GET", f"/{name}/access-info", token=token).json()["type"] == "personal"
    assert made.json()["apiEndpoint"].endswith(f"/{name}/")
    assert client.admin("DELETE", f"/users/{name}").status_code == 200


def test_taken_names_and_addresses_are_refused(client: Client) -> None:
    both = client.ask("POST", "/users", client.account())
    assert error(both) == (409, "item-already-exists")
    assert both.json()["error"]["data"] == {"username": client.username, "email": client.email}
    email = client.ask("POST", "/users", client.account(username=f"{client.username}-b", email=client.email.upper()))
    assert email.json()["error"]["data"].keys() == {"email"}
    reserved = client.ask("POST", "/users", client.account(username="register", email="nobody@example.test"))
    assert error(reserved) == (409, "item-already-exists")


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"username": "Upper-case"}, "username-invalid"),
        ({"username": "dots.in.it"}, "username-invalid"),
        ({"username": "-edge-"}, "username-invalid"),
        ({"username": "four"}, "username-invalid"),
        ({"password": "four"}, "password-invalid"),
        ({"password": "five5"}, "password-invalid"),
        ({"password": "p" * 101}, "password-invalid"),
        ({"password": None}, "password-required"),
        ({"email": None}, "email-required"),
        ({"appId": "short"}, "appid-invalid"),
    ],
)
def test_bad_registrations_are_refused_by_code(client: Client, other: dict[str, object], code: str) -> None:
    body = {key: value for key, value in client.account(**({"username": "contract-unused"} | other)).items() if value is not None}
    answer = client.ask("POST", "/users", body)
    assert error(answer) == (400, "invalid-parameters-format")
    assert [one["code"] for one in answer.json()["error"]["data"]] == [code]


def test_the_language_is_language_and_not_what_the_documents_call_it(contract: Contract) -> None:
    client = Client(contract, f"contract-{secrets.token_hex(5)}", "")
    body = client.account(email=f"{client.username}@example.test", languageCode="de")
    del body["language"]
    assert client.ask("POST", "/users", body).status_code == 201
    assert client.login().json()["preferredLanguage"] == "en"
    client.admin("DELETE", f"/users/{client.username}")
    client.session.close()


def test_a_registration_without_a_username_is_the_known_bug(client: Client) -> None:
    body = client.account()
    del body["username"]
    assert error(client.ask("POST", "/users", body)) == (500, "unexpected-error")


def test_the_old_registration_wants_appid(client: Client) -> None:
    answer = client.ask("POST", "/reg/user", client.account(username="contract-unused"))
    assert [one["code"] for one in answer.json()["error"]["data"]] == ["appid-invalid"]


def test_a_body_that_is_no_json_is_refused(client: Client) -> None:
    answer = client.ask("POST", "/users", data="{not json", headers={"Content-Type": "application/json"})
    assert error(answer) == (400, "invalid-request-structure")


def test_names_and_addresses_can_be_looked_up(client: Client) -> None:
    assert client.ask("GET", f"/reg/{client.username}/check_username").json()["reserved"] is True
    assert client.ask("GET", f"/reg/{client.username}-nobody/check_username").json()["reserved"] is False
    assert error(client.ask("GET", f"/reg/{client.email}/check_email")) == (409, "item-already-exists")
    assert client.ask("GET", "/reg/nobody-at-all@example.test/check_email").json()["reserved"] is False
    assert client.ask("GET", f"/reg/{client.email}/username").json()["username"] == client.username
    assert error(client.ask("GET", "/reg/nobody-at-all@example.test/username")) == (404, "unknown-email")
    server = client.ask("POST", f"/reg/{client.username}/server").json()
    assert server.keys() >= {"server", "alias"}


def test_signing_in_keeps_the_token_while_the_session_lives(client: Client) -> None:
    one, other = client.login(), client.login()
    assert one.status_code == 200
    assert one.json()["token"] == other.json()["token"] == client.personal
    assert one.json()["preferredLanguage"] == "fr"
    assert client.login(appId="another-app").json()["token"] != client.personal


def test_signing_in_needs_a_trusted_place_and_the_password(client: Client) -> None:
    body = {"username": client.username, "password": PASSWORD, "appId": "contract-test"}
    path = f"/{client.username}/auth/login"
    nowhere = client.ask("POST", path, body)
    assert error(nowhere) == (401, "invalid-credentials")
    assert nowhere.json()["error"]["message"] == 'The app id ("appId") is either missing or not trusted.'
    assert error(client.ask("POST", path, body, headers={"Origin": "http://untrusted.example"})) == (401, "invalid-credentials")
    assert client.ask("POST", path, body, headers={"Referer": client.contract.origin}).status_code == 200
    wrong = client.login(password="wrong-one")
    assert error(wrong) == (401, "invalid-credentials")
    assert wrong.json()["error"]["message"] == "The given username/password pair is invalid."


def test_signing_in_is_refused_without_its_parts(client: Client) -> None:
    answer = client.ask("POST", f"/{client.username}/auth/login", {"username": client.username, "appId": "contract-test"})
    assert error(answer) == (400, "invalid-operation")
    assert error(client.ask("POST", "/nobody-here/auth/login", {})) == (404, "unknown-resource")


def test_the_account_is_for_the_user_alone(client: Client) -> None:
    account = client.get("/account").json()["account"]
    assert (account["username"], account["email"], account["language"]) == (client.username, client.email, "fr")
    assert account["storageUsed"]["attachedFiles"] == 0
    assert [one["value"] for one in account["emails"]] == [client.email]
    assert error(client.get("/account", token=client.shared)) == (403, "forbidden")


def test_profiles_are_merged_and_an_apps_own_is_the_apps(client: Client) -> None:
    for kind in ("private", "public"):
        assert client.put(f"/profile/{kind}", {"a": 1, "b": "ü"}).json()["profile"] == {"a": 1, "b": "ü"}
        assert client.put(f"/profile/{kind}", {"a": None}).json()["profile"] == {"b": "ü"}
        assert client.get(f"/profile/{kind}").json()["profile"] == {"b": "ü"}
    assert error(client.get("/profile/app")) == (400, "invalid-operation")
    assert error(client.get("/profile/private", token=client.shared)) == (403, "forbidden")
    body = {"name": "profile app", "type": "app", "permissions": [{"streamId": "diary", "level": "read"}]}
    app = client.post("/accesses", body).json()["access"]["token"]
    assert client.get("/profile/app", token=app).json()["profile"] == {}


def test_a_shared_access_has_a_token_that_does_not_expire(client: Client) -> None:
    permissions = [{"streamId": "diary", "level": "read"}]
    made = client.post("/accesses", {"name": "for ever", "permissions": permissions})
    access = made.json()["access"]
    assert made.status_code == 201
    assert access["type"] == "shared"
    assert "expires" not in access
    assert access["integrity"].startswith("ACCESS:0:sha256-")
    assert access["token"] in access["apiEndpoint"]
    told = client.get("/access-info", token=access["token"])
    assert told.headers["Pryv-Access-Id"] == access["id"]
    shown = told.json()
    assert (shown["type"], shown["name"], shown["token"]) == ("shared", "for ever", access["token"])
    # What every access may not and may, beside what it was given.
    account, audit = (
        {"streamId": ":_system:account", "level": "none"},
        {"streamId": f":_audit:access-{access['id']}", "level": "read"},
    )
    assert shown["permissions"] == [account, *permissions, audit]
    assert told.json()["user"] == {"username": client.username}
    assert error(client.post("/accesses", {"name": "for ever", "permissions": permissions})) == (409, "item-already-exists")


def test_an_access_that_is_used_says_when(client: Client) -> None:
    def last_used() -> float:
        listed = client.get("/accesses").json()["accesses"]
        return float(next(one["lastUsed"] for one in listed if one["name"] == "shared one"))

    client.get("/events", token=client.shared)
    first = last_used()
    client.get("/events", token=client.shared)
    assert last_used() > first


def test_a_deleted_access_is_refused(client: Client) -> None:
    made = client.post("/accesses", {"name": "to go", "permissions": [{"streamId": "*", "level": "read"}]}).json()["access"]
    assert client.delete(f"/accesses/{made['id']}").json()["accessDeletion"] == {"id": made["id"]}
    assert error(client.get("/access-info", token=made["token"])) == (403, "invalid-access-token")
    assert error(client.delete(f"/accesses/{made['id']}")) == (404, "unknown-resource")


def test_an_access_sees_its_own_streams_only(client: Client) -> None:
    client.post("/streams", {"id": "elsewhere", "name": "Elsewhere"})
    hidden = client.event(streamIds=["elsewhere"])
    assert hidden["id"] not in [one["id"] for one in client.get("/events?limit=1000", token=client.shared).json()["events"]]
    assert error(client.get(f"/events/{hidden['id']}", token=client.shared)) == (403, "forbidden")


def test_an_access_cannot_do_more_than_it_was_given(client: Client) -> None:
    body = {"name": "reader", "permissions": [{"streamId": "diary", "level": "read"}]}
    reader = client.post("/accesses", body).json()["access"]["token"]
    event = {"streamIds": ["diary"], "type": "note/txt", "content": "x"}
    assert error(client.post("/events", event, token=reader)) == (403, "forbidden")
    assert error(client.post("/accesses", {"name": "more", "permissions": []}, token=reader)) == (403, "forbidden")
    assert error(client.post("/accesses", {"name": "me", "type": "personal", "permissions": []})) == (403, "forbidden")


def test_a_deleted_user_is_gone_but_counted(contract: Contract) -> None:
    client = Client.registered(contract)
    counted = client.admin("GET", "/system/admin/cores").json()["cores"][0]["userCount"]
    assert error(client.ask("DELETE", f"/users/{client.username}", token=client.personal)) == (404, "unknown-resource")
    assert error(client.ask("DELETE", f"/users/{client.username}")) == (404, "unknown-resource")
    gone = client.admin("DELETE", f"/users/{client.username}")
    assert gone.json()["userDeletion"] == {"username": client.username}
    answer = client.get("/access-info")
    assert error(answer) == (404, "unknown-resource")
    assert answer.json()["error"]["message"] == f'Unknown user "{client.username}"'
    assert client.admin("GET", "/system/admin/cores").json()["cores"][0]["userCount"] == counted
    assert client.ask("GET", f"/reg/{client.email}/check_email").json()["reserved"] is False
    client.session.close()


def test_nothing_is_left_of_a_deleted_user(contract: Contract, stage: Stage) -> None:
    client = Client.registered(contract)
    file = client.upload("gone.bin", b"gone")["attachments"][0]["id"]
    sql = "SELECT user_id FROM users_index WHERE username = %s"
    ((user_id,),) = stage.postgres.sql(sql, client.username, database="pryv")
    assert len(list(stage.users.rglob(file))) == 1
    client.admin("DELETE", f"/users/{client.username}")
    for table in ("streams", "events", "event_streams", "accesses", "passwords", "account_fields", "users_index"):
        assert stage.postgres.sql(f"SELECT count(*) FROM {table} WHERE user_id = %s", user_id, database="pryv") == [(0,)]  # noqa: S608 - our own tables
    assert stage.postgres.sql("SELECT id FROM sessions WHERE id = %s", client.personal, database="pryv") == []
    assert list(stage.users.rglob(user_id)) == []
    client.session.close()


def test_a_session_that_is_over_is_refused(client: Client, stage: Stage) -> None:
    token = client.login(appId="short-session").json()["token"]
    assert client.get("/access-info", token=token).status_code == 200
    stage.postgres.sql("UPDATE sessions SET expires = now() - interval '1 second' WHERE id = %s", token, database="pryv")
    answer = client.get("/access-info", token=token)
    assert error(answer) == (403, "invalid-access-token")
    assert answer.json()["error"]["message"] == "Access session has expired."
    assert client.login(appId="short-session").json()["token"] != token


def test_passwords_are_hashed_as_the_real_core_hashes_them(client: Client, stage: Stage) -> None:
    sql = "SELECT hash FROM passwords JOIN users_index USING (user_id) WHERE username = %s"
    ((hashed,),) = stage.postgres.sql(sql, client.username, database="pryv")
    assert hashed.startswith("$2b$")


def test_a_changed_password_replaces_the_old_one(client: Client) -> None:
    wrong = client.post("/account/change-password", {"oldPassword": "wrong-one", "newPassword": "new-word"})
    assert error(wrong) == (400, "invalid-operation")
    assert client.post("/account/change-password", {"oldPassword": PASSWORD, "newPassword": "new-word"}).status_code == 200
    assert error(client.login()) == (401, "invalid-credentials")
    assert client.login(password="new-word").status_code == 200
    assert client.post("/account/change-password", {"oldPassword": "new-word", "newPassword": PASSWORD}).status_code == 200


def test_a_session_that_is_used_lives_on(client: Client, stage: Stage) -> None:
    token = client.login(appId="long-session").json()["token"]
    stage.postgres.sql("UPDATE sessions SET expires = now() + interval '1 minute' WHERE id = %s", token, database="pryv")
    assert client.get("/access-info", token=token).status_code == 200
    sql = "SELECT expires > now() + interval '13 days' FROM sessions WHERE id = %s"
    assert stage.postgres.sql(sql, token, database="pryv") == [(True,)]
