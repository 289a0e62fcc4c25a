"""A client of the public name: begun before the freeze, ended when users are served, it sees the move as users do.

It writes only as the verification user, into a stream of its own. `process` is the program, `ledger` reads what it wrote down; here
are the acts that begin and end it, and what is looked at: that nothing it was told was saved is lost, that the source answered
nothing once it was stopped; `waited` tells for how long it waited, and how fast it was answered.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.client import ledger
from harness.client_deeds import AskClient, BeginClient, EndClient
from harness.core_api import call
from harness.deed import Ask, Role, Secret
from harness.errors import DeedFailed
from harness.verification import ready

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan

AT_WORK = "A client reads and writes under the public name"
LOST_NOTHING = "Users lost nothing they were told was saved"
STREAM = "verification-client"
AT_LEAST, ENOUGH = 3, 5
PAGE = 1000
OK = 200
LONGEST_BACK_S = 30.0
SHOWN_IDS = 5
WHY_LOST = "users were told that these were saved, and will not enter them again"
WHY_WRONG = "what a core accepts after it was measured is moved by nobody"


# --- acts


def make_stream(plan: Plan, known: Mapping[str, Any]) -> Act:
    """Make the client's own stream on the source; one that is there is left as it is."""
    body = {"id": STREAM, "name": "Verification: a client's own"}
    yield call("POST", f"/{plan.verification_user.username}/streams", body, token=Secret(known["personal"]), via=Role.SOURCE)


def begin(plan: Plan, known: Mapping[str, Any], folder: Path, **told: float) -> Generator[Any, Any, int]:
    """Begin a client, its ledger in the run's private folder; returns its number."""
    number = max(ledger.numbers(folder), default=0) + 1
    settings = {
        "name": plan.core.public_name,
        "port": plan.core.public_port,
        "servers": [str(server) for server in plan.cutover.dns.servers],
        "ca_file": plan.tls_ca_file,
        "user": plan.verification_user.username,
        "token": known["personal"],
        "stream": STREAM,
        "number": number,
        "ledger": str(ledger.path_of(folder, number)),
    }
    says = f"begin client {number} of {plan.core.public_name}: it reads and writes as the verification user"
    yield BeginClient(json.dumps(settings | told), str(folder / "client.err"), says)
    return number


def end() -> Act:
    """End the client that is at work."""
    yield EndClient()


def write_again(plan: Plan, known: Mapping[str, Any] | None, folder: Path) -> Act:
    """Let a client write until some writes were saved; returns its number, 0 where this run has nobody to write as."""
    if known is None:
        yield call("GET", "/reg/service/info")
        return 0
    yield from make_stream(plan, known)
    number = yield from begin(plan, known, folder, enough=ENOUGH, longest_s=LONGEST_BACK_S)
    yield EndClient(LONGEST_BACK_S)
    return number


# --- looks


def at_work(plan: Plan, folder: Path, kind: str) -> Reading[Check]:
    """Look whether the client is at work, and answered: kind "write" or "read"."""
    name = f"{kind}s of the client that were answered"
    alive = yield AskClient()
    if not alive:
        return equal(name, Witness.API, f"at least {AT_LEAST}", "no client is at work", 0, absent=True)
    newest = ledger.numbers(folder)[-1:]
    found = [one for number in newest for one in ledger.answers(folder, number, ledger.roles(plan)) if one.kind == kind]
    answered = sum(one.ok for one in found)
    observed = {"answered": answered, "not": dict(Counter(one.why for one in found if not one.ok))}
    return Check(name, Witness.API, f"at least {AT_LEAST}", observed, answered >= AT_LEAST, answered, AT_LEAST)


def _there(plan: Plan, known: Mapping[str, Any], via: Role) -> Reading[dict[str, str]]:
    """Return what a host has of the clients' writes, content by id."""
    found: dict[str, str] = {}
    user, token = plan.verification_user.username, Secret(known["personal"])
    skip = 0
    while True:
        path = f"/{user}/events?streams[]={STREAM}&sortAscending=true&limit={PAGE}&skip={skip}"
        answer = yield Ask(call("GET", path, token=token, via=via))
        if answer.status != OK:
            raise DeedFailed(f"the client's writes cannot be read back by the {via}: answered {answer.status}", answer)
        page = answer.json()["events"]
        found |= {event["id"]: str(event.get("content")) for event in page}
        skip += len(page)
        if len(page) < PAGE:
            return found


def nothing_lost(plan: Plan, known: Mapping[str, Any], folder: Path, accepted: int | None) -> Reading[Check]:
    """Look on the dest for every write that a client was told was saved, by id and content; a lost one may only be accepted."""
    there = yield from _there(plan, known, Role.DEST)
    return _compared("dest", ledger.all_answers(folder, ledger.roles(plan)), there, accepted)


def _compared(side: str, answers: Iterable[ledger.Answer], there: Mapping[str, str], accepted: int | None = None) -> Check:
    told = ledger.compared(answers, there)
    gone = [*told["lost"], *told["changed"]]
    held = len(gone) <= (accepted or 0)
    observed = {**told, "lost": len(told["lost"]), "changed": len(told["changed"])} | (
        {"for example": gone[:SHOWN_IDS]} if gone else {}
    )
    expected = {"lost": 0, "changed": 0} if accepted is None else f"at most {accepted} lost, accepted by a person"
    remedy = f"find out where they went; if nobody can, a person may accept so many: --accept-loss {len(gone)} --approver NAME"
    name = f"acknowledged writes on the {side}"
    return Check(name, Witness.API, expected, observed, held, told["acknowledged"], why=WHY_LOST, remedy=remedy)


def _forwards_since(plan: Plan, marks: Mapping[str, str]) -> float | None:
    """Return since when the source's address leads to the dest's core: by proxy, once users are led to it."""
    return ledger.moment(marks.get("T_open")) if plan.cutover.strategy == "proxy" else None


def shut(plan: Plan, marks: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Return from when until when (seconds since 1970) nobody may be answered by a core at the source's address."""
    return ledger.moment(marks.get("T_stop")), ledger.moment(marks.get("T_back")) or _forwards_since(plan, marks)


def no_wrong_host(plan: Plan, folder: Path, marks: Mapping[str, str]) -> Check:
    """Check that no core answered a client but the one that served then."""
    frozen = shut(plan, marks)
    answers = [(one, ledger.outcome(one, frozen)) for one in ledger.all_answers(folder, ledger.roles(plan))]
    wrong = Counter(one.at for one, outcome in answers if outcome == ledger.WRONG)
    return equal("answers by the wrong host", Witness.API, {}, dict(wrong), len(answers), why=WHY_WRONG)


def patience_s(plan: Plan) -> float:
    """Return how long a client may be led to the old address: as long as its resolver keeps the answer, and some seconds."""
    return plan.cutover.dns.ttl + LONGEST_BACK_S


def served_by_dest(plan: Plan, folder: Path, marks: Mapping[str, str]) -> Check:
    """Check that clients' writes are saved since users are led to the dest."""
    name, opened = "writes of the client since T_open", ledger.moment(marks.get("T_open"))
    at = Role.SOURCE if plan.cutover.strategy == "proxy" else Role.DEST
    writes = [
        one for one in ledger.all_answers(folder, ledger.roles(plan)) if one.kind == "write" and opened and one.begun > opened
    ]
    saved = sum(one.ok and one.at == at for one in writes)
    observed = {"saved": saved, "not": dict(Counter(one.why for one in writes if not one.ok))}
    return Check(name, Witness.API, f"at least {AT_LEAST} saved", observed, saved >= AT_LEAST, saved, AT_LEAST)


def saved_again(
    plan: Plan, source: Config, known: Mapping[str, Any] | None, folder: Path, number: int, marks: Mapping[str, str]
) -> Reading[list[Check]]:
    """Look whether the source saves a client's writes again, and has all that its core ever told a client was saved.

    Without a verification user nobody can write: then whether the core answers as itself under the public name. What was answered
    at the source's address while that forwarded to the dest, before this client, was the dest's.
    """
    if known is None or not number:
        return [(yield from ready(source, "public"))]
    there = yield from _there(plan, known, Role.SOURCE)
    found = [one for one in ledger.answers(folder, number, ledger.roles(plan)) if one.kind == "write" and one.ok]
    by = {"acknowledged": min(len(found), ENOUGH), "by": sorted({one.at for one in found})}
    again = equal("a client's writes now", Witness.API, {"acknowledged": ENOUGH, "by": ["source"]}, by, len(found), ENOUGH)
    forwarded = _forwards_since(plan, marks)
    at_source = (one for one in ledger.all_answers(folder, ledger.roles(plan)) if one.at == Role.SOURCE)
    own = (one for one in at_source if one.client == number or forwarded is None or one.begun < forwarded)
    return [again, _compared("source", own, there)]


# --- for the record


def lines(plan: Plan, folder: Path, number: int, marks: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a client's stretches as the journal tells them."""
    answers = ledger.answers(folder, number, ledger.roles(plan))
    made = ledger.stretches(number, answers, shut(plan, marks))
    return [
        {
            "client": number,
            "outcome": one.outcome,
            "at": one.at,
            "from": ledger.iso(one.begun),
            "until": ledger.iso(one.ended),
            "writes": one.writes,
            "reads": one.reads,
        }
        for one in made
    ]
