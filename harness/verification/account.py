"""Who the verification user is, what it keeps, and how it signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.core_api import call
from harness.deed import HttpAnswer, HttpRequest, Learn, Role, Secret
from harness.errors import DeedFailed

if TYPE_CHECKING:
    from collections.abc import Generator

    from harness.plan import Plan

Known = dict[str, Any]
KEPT = "verification"
MADE = "verification user"  # among what this run has made on the source
DEPARTED = "departed verification user"  # likewise
LONGEST_NAME = 60
OK = 200
CREATED = 201
CONFLICT = 409


def departed(plan: Plan) -> str:
    """Return the name of the account that is made and deleted on the source before the move."""
    return f"{plan.verification_user.username[: LONGEST_NAME - 5]}-gone"


def answered(answer: HttpAnswer, *statuses: int) -> Any:  # noqa: ANN401 - JSON is any
    """Return what an answer of one of these statuses holds; raises DeedFailed for another."""
    if answer.status not in statuses:
        raise DeedFailed(
            f"{answer.request}: answered {answer.status} {error_of(answer)}, expected {' or '.join(map(str, statuses))}", answer
        )
    return answer.json()


def body_of(answer: HttpAnswer) -> dict[str, Any]:
    """Return an answer's JSON mapping; an empty one where it has none."""
    found = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    return found if isinstance(found, dict) else {}


def error_of(answer: HttpAnswer) -> str:
    """Return the id of the error that an answer tells, or nothing."""
    error = body_of(answer).get("error")
    return str(error.get("id", "")) if isinstance(error, dict) else ""


def signing_in(plan: Plan, via: Role | str, password: Secret, username: str = "") -> HttpRequest:
    """Return the request that signs in, from an origin that the core trusts."""
    user = plan.verification_user
    name = username or user.username
    body = {"username": name, "password": password.value, "appId": user.app_id}
    return call("POST", f"/{name}/auth/login", body, via=via, Origin=user.origin)


def sign_in(plan: Plan, via: Role | str, password: Secret, username: str = "") -> Generator[Any, Any, HttpAnswer]:
    """Sign in with a password; returns the answer, its token masked from then on."""
    answer: HttpAnswer = yield signing_in(plan, via, password, username)
    if token := body_of(answer).get("token"):
        yield Learn((Secret(str(token)),))
    return answer


def absent(name: str) -> Check:
    """Return the check of what needs a verification user, where this run has made none yet."""
    return equal(name, Witness.API, "as created", "no verification user in this run yet", 0, absent=True)
