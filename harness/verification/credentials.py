"""What lets somebody in, and what does not: passwords, tokens and links, tried on a host as the verification user.

Each is one request, made with what was minted on the source before the move. An answer that lets in is 200; refused is what the
core says of exactly this (a core that is broken refuses too, with another word).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.core_api import attachment, call
from harness.deed import Secret
from harness.errors import HarnessError
from harness.verification.account import OK, body_of, error_of, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from harness.deed import HttpAnswer, HttpRequest, Role
    from harness.plan import Plan
    from harness.verification.account import Known

NEVER = "0" * 25
WRONG = Secret("not-the-password")
WHY_IN = "who was let in before is shut out"
WHY_OUT = "who was shut out is let in"


@dataclass(frozen=True, slots=True)
class Shown:
    """A credential that was shown to a core: what it is, and how that answered; `told` is what an answer that lets in tells."""

    credential: str
    status: int
    error: str
    told: str


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential: how it is shown, what an answer that lets in tells, and how it is refused (nothing: it is good)."""

    show: Callable[[Plan, Known, Role], Generator[Any, Any, HttpAnswer]]
    tells: Callable[[HttpAnswer], str]
    refused: tuple[int, str] | None = None


def _one(request: HttpRequest) -> Generator[HttpRequest, Any, HttpAnswer]:
    answer: HttpAnswer = yield request
    return answer


def _password(plan: Plan, _known: Known, via: Role) -> Generator[Any, Any, HttpAnswer]:
    return (yield from sign_in(plan, via, plan.verification_user.password.read()))


def _wrong_password(plan: Plan, _known: Known, via: Role) -> Generator[Any, Any, HttpAnswer]:
    return (yield from sign_in(plan, via, WRONG))


def _deleted_user(plan: Plan, known: Known, via: Role) -> Generator[Any, Any, HttpAnswer]:
    return (yield from sign_in(plan, via, plan.verification_user.password.read(), known["departed"]["username"]))


def _token(of: Callable[[Known], str]) -> Callable[[Plan, Known, Role], Generator[Any, Any, HttpAnswer]]:
    """Return what shows a token: the core tells what kind of access it opens."""

    def show(plan: Plan, known: Known, via: Role) -> Generator[Any, Any, HttpAnswer]:
        path = f"/{plan.verification_user.username}/access-info"
        return (yield from _one(call("GET", path, token=Secret(of(known)), via=via)))

    return show


def _link(read: Callable[[str], str]) -> Callable[[Plan, Known, Role], Generator[Any, Any, HttpAnswer]]:
    """Return what opens an attachment by its link, its token as it is or changed."""

    def show(plan: Plan, known: Known, via: Role) -> Generator[Any, Any, HttpAnswer]:
        event = known["files"][0]["event"]
        file = event["attachments"][0]
        request = attachment(plan.verification_user.username, event["id"], file["id"], read=read(file["readToken"]), via=via)
        return (yield from _one(request))

    return show


def _forged(token: str) -> str:
    """Return a link's token of the same access with a digest that nobody made."""
    access = token.partition("-")[0]
    return f"{access}-{'A' * 27}"


def _kind(answer: HttpAnswer) -> str:
    return str(body_of(answer).get("type"))


def _signed_in(answer: HttpAnswer) -> str:
    return "a token" if "token" in body_of(answer) else "no token"


def _bytes(answer: HttpAnswer) -> str:
    return f"{len(answer.body)} bytes"


CREDENTIALS: Mapping[str, Credential] = {
    "password": Credential(_password, _signed_in),
    "personal token": Credential(_token(lambda known: str(known["personal"])), _kind),
    "shared token": Credential(_token(lambda known: str(known["shared"])), _kind),
    "app token": Credential(_token(lambda known: str(known["accesses"]["verification-app"]["token"])), _kind),
    "readToken link": Credential(_link(lambda token: token), _bytes),
    "wrong password": Credential(_wrong_password, _signed_in, (401, "invalid-credentials")),
    "unknown token": Credential(_token(lambda _: NEVER), _kind, (403, "invalid-access-token")),
    "revoked token": Credential(_token(lambda known: str(known["revoked_token"])), _kind, (403, "invalid-access-token")),
    "password of a deleted user": Credential(_deleted_user, _signed_in, (404, "unknown-resource")),
    "readToken link of nobody": Credential(_link(_forged), _bytes, (401, "invalid-access-token")),
}
TELLS = {"password": "a token", "personal token": "personal", "shared token": "shared", "app token": "app"}


def show(plan: Plan, known: Known | None, via: Role, name: str) -> Generator[Any, Any, Shown]:
    """Show a credential to a host's core; raises HarnessError where this run has no verification user."""
    if known is None:
        raise HarnessError("there is no verification user in this run: it has nothing to show")
    credential = CREDENTIALS[name]
    answer = yield from credential.show(plan, known, via)
    told = credential.tells(answer) if answer.status == OK else ""
    return Shown(name, answer.status, error_of(answer), told)


def let_in(shown: Shown, known: Known) -> Check:
    """Check that a credential was let in, as what it is."""
    tells = TELLS.get(shown.credential, f"{known['files'][0]['size']} bytes")
    observed = {"status": shown.status, "told": shown.told, "error": shown.error}
    return equal(shown.credential, Witness.API, {"status": OK, "told": tells, "error": ""}, observed, why=WHY_IN)


def refused(shown: Shown) -> Check:
    """Check that a credential was refused, and for what it is."""
    expected = CREDENTIALS[shown.credential].refused
    return equal(shown.credential, Witness.API, list(expected or ()), [shown.status, shown.error], why=WHY_OUT)


def register_again(plan: Plan, via: Role) -> Generator[Any, Any, HttpAnswer]:
    """Try to register the verification user once more: refused for its name, nothing is made whatever the platform knows."""
    user = plan.verification_user
    account = {"appId": user.app_id, "username": user.username, "email": user.email, "language": "en"}
    return (yield from _one(call("POST", "/users", {**account, "password": user.password.read().value}, via=via)))


def refused_for_both(answer: HttpAnswer) -> Check:
    """Check that a registration was refused for its name and for its e-mail address: the second is the platform's to say."""
    error = body_of(answer).get("error")
    named = sorted(error.get("data", {})) if isinstance(error, dict) and isinstance(error.get("data"), dict) else []
    expected = [409, "item-already-exists", ["email", "username"]]
    why = "two accounts with one e-mail address: the platform does not know the first"
    return equal("a second registration", Witness.API, expected, [answer.status, error_of(answer), named], why=why)
