"""A client of a core's API, for the contract."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

PASSWORD = "pass-word-1"


def trusting() -> requests.Session:
    """Return a session that heeds no proxy and no .netrc of whoever runs the tests."""
    session = requests.Session()
    session.trust_env = False
    # A core closes a connection that was idle for five seconds, maybe just as it is used again.
    session.mount("http://", HTTPAdapter(max_retries=Retry(total=None, connect=0, read=1)))
    return session


@dataclass(frozen=True)
class Contract:
    """Where a core is, and what opens it."""

    url: str
    hfs_url: str | None
    admin_key: str
    origin: str


@dataclass
class Client:
    """A user of a core with its tokens."""

    contract: Contract
    username: str
    email: str
    personal: str = ""
    shared: str = ""
    session: requests.Session = field(default_factory=trusting)

    @classmethod
    def registered(cls, contract: Contract) -> Client:
        """Return a new user of the core, signed in, with a stream `diary` and a shared access to it."""
        name = f"contract-{secrets.token_hex(5)}"
        client = cls(contract, name, f"{name}@example.test")
        made = client.ask("POST", "/users", client.account())
        assert made.status_code == 201, made.text
        client.personal = client.login().json()["token"]
        client.post("/streams", {"id": "diary", "name": "Diary"})
        permissions = [{"streamId": "diary", "level": "manage"}]
        client.shared = client.post("/accesses", {"name": "shared one", "permissions": permissions}).json()["access"]["token"]
        return client

    def account(self, **other: object) -> dict[str, object]:
        """Return the body of this user's registration."""
        body: dict[str, object] = {"appId": "contract-test", "username": self.username, "password": PASSWORD, "email": self.email}
        return body | {"language": "fr"} | other

    def ask(self, method: str, path: str, body: object = None, token: str = "", **options: Any) -> requests.Response:  # noqa: ANN401 - as requests has them
        """Send a request to the core."""
        headers = options.pop("headers", {}) | ({"Authorization": token} if token else {})
        base = options.pop("base", self.contract.url)
        return self.session.request(method, base + path, json=body, headers=headers, timeout=10, **options)

    def get(self, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - as requests has them
        """Read below the user's path, with the personal token unless told otherwise."""
        return self.ask("GET", f"/{self.username}{path}", token=options.pop("token", self.personal), **options)

    def post(self, path: str, body: object, **options: Any) -> requests.Response:  # noqa: ANN401 - as requests has them
        """Write below the user's path."""
        return self.ask("POST", f"/{self.username}{path}", body, options.pop("token", self.personal), **options)

    def put(self, path: str, body: object) -> requests.Response:
        """Change below the user's path."""
        return self.ask("PUT", f"/{self.username}{path}", body, self.personal)

    def delete(self, path: str) -> requests.Response:
        """Delete below the user's path."""
        return self.ask("DELETE", f"/{self.username}{path}", token=self.personal)

    def admin(self, method: str, path: str) -> requests.Response:
        """Ask as the administrator."""
        return self.ask(method, path, token=self.contract.admin_key)

    def login(self, **other: object) -> requests.Response:
        """Sign in from a trusted place."""
        body = {"username": self.username, "password": PASSWORD, "appId": "contract-test"} | other
        return self.ask("POST", f"/{self.username}/auth/login", body, headers={"Origin": self.contract.origin})

    def event(self, kind: str = "note/txt", content: object = "text", **other: object) -> dict[str, Any]:
        """Create an event."""
        body = {"streamIds": ["diary"], "type": kind, **other} | ({} if content is None else {"content": content})
        made = self.post("/events", body)
        assert made.status_code == 201, made.text
        return dict(made.json()["event"])

    def upload(self, name: str, content: bytes, path: str = "/events") -> dict[str, Any]:
        """Create an event with a file (or add the file to one)."""
        event = (None, '{"streamIds": ["diary"], "type": "picture/attached"}', "application/json")
        parts: Any = {"event": event, "file": (name, content, "application/octet-stream")}
        url = f"{self.contract.url}/{self.username}{path}"
        made = self.session.post(url, files=parts, headers={"Authorization": self.personal}, timeout=30)
        assert made.status_code in {200, 201}, made.text
        return dict(made.json()["event"])


def error(answer: requests.Response) -> tuple[int, str]:
    """Return an answer's status and error id."""
    return answer.status_code, answer.json()["error"]["id"]
