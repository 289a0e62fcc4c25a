"""Webhooks: kept for apps and shared accesses, and posted to by every API worker when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.receiver import Receiver, receiver

from .client import Client, error
from .cluster import IP, until
from .lifecycle import became, own_core, running, said

if TYPE_CHECKING:
    from .stage import Stage

BOOT = "webhooksServiceBoot"
FIELDS = {
    *("id", "accessId", "url", "state", "runCount", "failCount", "lastRun", "runs", "currentRetries", "maxRetries"),
    *("minIntervalMs", "created", "createdBy", "modified", "modifiedBy"),
}


def boots(server: Receiver) -> int:
    """Count the posts of starting workers."""
    return sum(BOOT in post["messages"] for post in server.posts)


def test_webhooks_are_kept_for_apps_and_shared_accesses(client: Client) -> None:
    path, url = f"/{client.username}/webhooks", "http://127.0.0.1:1/hook"
    assert error(client.post("/webhooks", {"url": url})) == (403, "forbidden")
    made = client.post("/webhooks", {"url": url}, token=client.shared)
    hook = made.json()["webhook"]
    assert made.status_code == 201
    assert hook.keys() == FIELDS
    assert hook.items() >= {"url": url, "state": "active", "runCount": 0, "runs": []}.items()
    assert error(client.post("/webhooks", {"url": url}, token=client.shared)) == (409, "item-already-exists")
    assert error(client.post("/webhooks", {}, token=client.shared)) == (400, "invalid-parameters-format")
    for token in (client.shared, client.personal):
        assert [one["id"] for one in client.get("/webhooks", token=token).json()["webhooks"]] == [hook["id"]]
    asleep = client.ask("PUT", f"{path}/{hook['id']}", {"state": "inactive"}, client.shared).json()["webhook"]
    assert asleep["state"] == client.get(f"/webhooks/{hook['id']}", token=client.shared).json()["webhook"]["state"] == "inactive"
    gone = client.ask("DELETE", f"{path}/{hook['id']}", token=client.shared)
    assert gone.json()["webhookDeletion"].keys() == {"id", "deleted"}
    assert error(client.get(f"/webhooks/{hook['id']}", token=client.shared)) == (404, "unknown-resource")


@own_core
def test_every_api_worker_posts_at_its_start_unless_told_not_to(stopped: Stage, known: dict[str, Any]) -> None:
    with receiver(IP) as server:
        url = f"http://{IP}:{server.server_port}/hook"
        with running(stopped, env={"webhooks__inProcess": "false"}) as client:
            became(client, known["client"])
            hook = client.post("/webhooks", {"url": url}, token=client.shared).json()["webhook"]
            client.event()
        try:
            assert server.posts == []
            with running(stopped) as client:
                until(lambda: boots(server) == 2 or None, lambda: f"{server.posts}")
                assert {tuple(sorted(post["meta"])) for post in server.posts} == {("apiVersion", "serial", "serverTime")}
                became(client, known["client"])
                told = client.get("/webhooks", token=client.shared).json()["webhooks"][0]
                assert (told["state"], told["lastRun"]["status"], told["failCount"]) == ("active", 200, 0)
            server.posts.clear()
            with running(stopped, env={"webhooks__inProcess": "false"}) as client:
                said(stopped, "w1:serverRoot] Startup sequence complete")
                said(stopped, "w0:serverRoot] Startup sequence complete")
                assert server.posts == []
        finally:
            stopped.postgres.sql("DELETE FROM webhooks WHERE id = %s", hook["id"], database="pryv")
