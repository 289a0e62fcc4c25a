"""What the clients of a run wrote down, read as figures: pure functions of their ledgers and of the marks.

A ledger is a file client-N.jsonl in the run's private folder, one line for each answer (see harness.client.process). It is read as
a stream: what is kept of it is the writes, and one stretch for as long as the client was answered the same.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.deed import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.plan import Plan

ANSWERED, REFUSED, WRONG, NONE = "answered", "refused", "wrong host", "no client"
STRETCHES_AT_MOST = 100
READS_AT_MOST = 600
BY_A_PROXY = 500  # what a proxy answers for a core that is not there, and no core for a request as these


@dataclass(frozen=True, slots=True)
class Answer:
    """One line: `at` is the role that answered (or another address), empty where nobody did; `why` says what else was answered."""

    time: float
    kind: str
    ok: bool
    at: str = ""
    text: str = ""
    id: str = ""
    why: str = ""
    client: int = 1
    took: float = 0.0

    @property
    def begun(self) -> float:
        """When it was asked: a core that is stopped at a moment has answered nothing that was asked after it."""
        return self.time - self.took

    @property
    def by_a_core(self) -> bool:
        """Whether a core answered: as asked, or with a refusal of its own."""
        return self.ok or (self.why.isdigit() and int(self.why) < BY_A_PROXY)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a client was answered the same; times are in seconds since 1970, reads and writes are counted apart."""

    client: int
    outcome: str
    begun: float
    ended: float
    at: str = ""
    writes: int = 0
    reads: int = 0

    def and_then(self, other: Stretch) -> Stretch:
        """Return both as one, told as the longer one of them."""
        longer = max(self, other, key=lambda one: one.ended - one.begun)
        return replace(
            longer, begun=self.begun, ended=other.ended, writes=self.writes + other.writes, reads=self.reads + other.reads
        )


def roles(plan: Plan) -> dict[str, str]:
    """Return whose each address is."""
    hosts = [(role, plan.host(role)) for role in Role]
    return {str(address): str(role) for role, host in hosts for address in (host.address, host.address6) if address}


def moment(time: str | None) -> float | None:
    """Return a mark's time in seconds since 1970."""
    return datetime.fromisoformat(time).timestamp() if time else None


def iso(time: float) -> str:
    """Return a time as the journal writes it."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def numbers(folder: Path) -> list[int]:
    """Return the numbers of the clients that have a ledger."""
    return sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob("client-*.jsonl"))


def path_of(folder: Path, number: int) -> Path:
    """Return where a client's ledger lies."""
    return folder / f"client-{number}.jsonl"


def answers(folder: Path, number: int, roles: Mapping[str, str]) -> Iterator[Answer]:
    """Yield the answers of a ledger; `roles` tells whose an address is. The torn last line of a killed client is left out."""
    with path_of(folder, number).open(encoding="utf-8") as file:
        for raw in file:
            line: dict[str, Any] = json.loads(raw) if raw.endswith("\n") else {"kind": "torn"}
            if line["kind"] in {"write", "read"}:
                at = str(line["at"])
                text, made, why = (str(line.get(name, "")) for name in ("text", "id", "why"))
                yield Answer(line["t"], line["kind"], line["ok"], roles.get(at, at), text, made, why, number, line.get("took", 0.0))


def all_answers(folder: Path, roles: Mapping[str, str]) -> Iterator[Answer]:
    """Yield the answers of all clients of a run."""
    for number in numbers(folder):
        yield from answers(folder, number, roles)


def outcome(answer: Answer, shut: tuple[float | None, float | None]) -> str:
    """Return how an answer is told: a core's is by the wrong host from the source while that is `shut`, from when until when."""
    since, until = shut
    frozen = since is not None and answer.begun > since and (until is None or answer.begun < until)
    if answer.by_a_core and (answer.at not in {"source", "dest"} or (answer.at == "source" and frozen)):
        return WRONG
    return ANSWERED if answer.ok else REFUSED


def stretches(number: int, found: Iterable[Answer], shut: tuple[float | None, float | None]) -> list[Stretch]:
    """Return a client's answers as stretches; where there are too many, the shortest become part of the one before."""
    made: list[Stretch] = []
    for answer in found:
        one = outcome(answer, shut)
        last = made[-1] if made else None
        new = Stretch(number, one, answer.time, answer.time, answer.at, int(answer.kind == "write"), int(answer.kind == "read"))
        if last and (last.outcome, last.at) == (one, answer.at):
            made[-1] = replace(last.and_then(new), outcome=one)
            continue
        if last:
            made[-1] = replace(last, ended=answer.time)
        made.append(new)
        if len(made) > 2 * STRETCHES_AT_MOST:
            made = _fewer(made)
    return _fewer(made)


def _fewer(made: list[Stretch]) -> list[Stretch]:
    """Return at most so many stretches as are told; those by a wrong host stay."""
    if len(made) <= STRETCHES_AT_MOST:
        return made
    shortest = sorted(one.ended - one.begun for one in made)[len(made) - STRETCHES_AT_MOST]
    kept: list[Stretch] = []
    for one in made:
        if kept and WRONG not in {one.outcome, kept[-1].outcome} and one.ended - one.begun <= shortest:
            kept[-1] = kept[-1].and_then(one)
        else:
            kept.append(one)
    return kept[-2 * STRETCHES_AT_MOST :]


@dataclass(frozen=True, slots=True)
class Seen:
    """What clients saw of an outage; times in seconds since 1970, None where they saw no such thing.

    `last` is the last write that was acknowledged up to T_stop, `first` the first one after T_open; `failed` the first and last
    failure between them. `gap_s` is for how long no client was at work between them: one had ended, and no other was begun.
    """

    last: float | None
    first: float | None
    failed: tuple[float, float] | None
    gap_s: float

    @property
    def seconds(self) -> float | None:
        """The outage as the client saw it."""
        return None if self.last is None or self.first is None else self.first - self.last


def seen(found: Sequence[Answer] | Iterable[Answer], stopped: float, opened: float) -> Seen:
    """Return what clients saw of the outage between two marks."""
    last = first = None
    failures: list[float] = []
    gap, previous = 0.0, Answer(0.0, "", ok=False, client=0)
    for answer in found:
        acknowledged = answer.kind == "write" and answer.ok
        if acknowledged and answer.begun <= stopped:
            last, failures, gap, previous = answer.time, [], 0.0, answer
        elif first is None:
            gap, previous = gap + (answer.time - previous.time if answer.client > previous.client > 0 else 0.0), answer
            first = answer.time if acknowledged and answer.time > opened else None
            failures = failures if answer.ok else [*failures[:1], answer.time]
    return Seen(last, first, (failures[0], failures[-1]) if failures else None, gap)


def reads_took(found: Iterable[Answer], stopped: float, opened: float) -> tuple[list[float], list[float]]:
    """Return how long (seconds) the last answered reads up to one mark took, and the first ones begun after another."""
    before: deque[float] = deque(maxlen=READS_AT_MOST)
    after: list[float] = []
    for answer in found:
        if answer.kind == "read" and answer.ok and answer.time <= stopped:
            before.append(answer.took)
        elif answer.kind == "read" and answer.ok and answer.begun > opened and len(after) < READS_AT_MOST:
            after.append(answer.took)
    return list(before), after


def compared(found: Iterable[Answer], there: Mapping[str, str]) -> dict[str, Any]:
    """Compare the writes with what is there ({id: content}).

    Returns {acknowledged, lost (ids), changed (ids), failed, failed but present}.
    """
    told: dict[str, Any] = {"acknowledged": 0, "lost": [], "changed": [], "failed": 0, "failed but present": 0}
    contents = set(there.values())
    for answer in found:
        if answer.kind != "write":
            continue
        if not answer.ok:
            told["failed"] += 1
            told["failed but present"] += answer.text in contents
            continue
        told["acknowledged"] += 1
        if answer.id not in there:
            told["lost"].append(answer.id)
        elif there[answer.id] != answer.text:
            told["changed"].append(answer.id)
    return told
