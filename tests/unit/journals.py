"""Sample journals of a move: green, red, continued, unfinished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.story import FILES, HOSTILE, SECRET, Story

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.journal import Line

PREFLIGHT, FREEZE, DATABASES, FILES_ARRIVE, LAUNCH, CUTOVER = FILES
TABLES = {
    name: {"rows": rows, "sha256": f"{rows:08x}" * 8}
    for name, rows in {"accesses": 2412, "events": 1188321, "streams": 14004, "users": 144}.items()
}
LOST = {**TABLES, "accesses": {"rows": 2411, "sha256": "a09b77e1" * 8}}
PINNED = "Both hosts answer with the keys we pinned"
RESTORED = "The PostgreSQL database arrives unchanged"
ARRIVED = "The data roots arrive unchanged"
LAUNCHED = "The dest core starts clean, silent to the outside"
OPENED = "Every name server answers the dest's address"
WHY = "an access is a user's permission; a lost one cuts a device off"
REMEDY = "run again: this run made that database and will clear it first; nothing was opened yet"
RED_STATE = ["mend and run again: pytest features/", "give up: pytest features/rollback.feature"]
STATE = [
    "source  frozen, core stopped, fenced",
    "dest    core running, open",
    "users   are served by the dest",
    "next    pytest features/98_retire.feature --plan migration.yml --live CHG0031337 --approve retire",
]


def looked(story: Story, feature: str, scenario: str, name: str, **fields: Any) -> None:  # noqa: ANN401 - the fields of a check
    """Tell a whole scenario that only looks."""
    story.begin(feature, scenario)
    story.look("after", f"{scenario[0].lower()}{scenario[1:]}", name, **fields)
    story.end()


def preflight(story: Story) -> None:
    """Tell 10."""
    looked(story, PREFLIGHT, PINNED, "host keys", witness="ssh", examined=2, minimum=2)
    story.tell("fact", name="both hosts have the pinned keys", status="begun", **{"from": PINNED})
    room: dict[str, Any] = {"witness": "files", "expected": "at least 370 MB", "observed": "52.1 GB"}
    looked(story, PREFLIGHT, "The dest has room for what arrives", "free bytes on the dest", **room)
    story.without(PREFLIGHT, "The platform can do without this core for a while", "not applicable", "the platform has one core")


def freeze(story: Story) -> None:
    """Tell 50: the source is stopped and measured at rest."""
    story.begin(FREEZE, "The source core is stopped")
    fact, name = "no process of the source core runs", "processes of the core"
    seen: dict[str, Any] = {"witness": "processes", "expected": [], "examined": 214}
    story.look("before", fact, name, "not held", observed=["node master (812)", "rqlited (840)"], **seen)
    story.tell("gate", scenario=story.scenario, approved=True, by="the rehearsal itself")
    story.act("the source core is stopped", "begun")
    story.do("source$ systemctl stop pryv-core", 2.4)
    story.act("the source core is stopped", "done")
    story.look("after", fact, name, observed=[], **seen)
    story.tell("mark", mark="T_stop")
    story.end()
    story.tell("fact", name="the source is frozen", status="begun", **{"from": story.scenario})
    story.begin(FREEZE, "The source is measured at rest")
    story.act("the source is measured at rest", "begun")
    story.do("source$ fingerprints of 4 tables", 8.2)
    story.tell(
        "digest",
        name="PostgreSQL",
        role="source",
        digest="sha256:" + "5f2c81d0" * 8,
        examined=4,
        bytes=148_000_000,
        parts=TABLES,
    )
    story.tell("digest", name="/var/lib/pryv", role="source", digest="sha256:" + "77aa01c3" * 8, examined=3120, bytes=912_000_000)
    story.act("the source is measured at rest", "done")
    story.look(
        "after",
        "the record holds a fingerprint of every database",
        "fingerprints kept",
        witness="record",
        observed=1,
        expected=1,
    )
    story.end()


def dump(story: Story) -> None:
    """Tell the PostgreSQL dump; its deed's argv and tail hold a secret by mistake."""
    story.begin(DATABASES, "The PostgreSQL dump is complete")
    story.look("given", "the source is frozen", "the fence is in place", witness="files")
    fact, act = "the PostgreSQL dump holds everything that was measured at rest", "the PostgreSQL database is dumped"
    story.look("before", fact, "tables in the dump", "absent", expected=sorted(TABLES), observed="no dump on the source")
    story.act(act, "begun")
    story.do(f"source as postgres$ env PGPASSWORD={SECRET} pg_dump -Fc -f /var/lib/dump.part pryv", 12.4, tail=f"using {SECRET}")
    story.act(act, "done")
    story.look("after", fact, "tables in the dump", expected=sorted(TABLES), observed=sorted(TABLES), examined=4, minimum=4)
    story.end()
    story.without(DATABASES, "The MongoDB dump is complete", "not applicable", "the source has no MongoDB")


def restore(story: Story, observed: Mapping[str, Any] = TABLES) -> None:
    """Tell the restore; whether its last look holds depends on what is observed."""
    good = observed == TABLES
    fact, name = "the PostgreSQL fingerprints are equal", "fingerprints are equal"
    story.begin(DATABASES, RESTORED)
    story.look("before", fact, name, "absent", expected=TABLES, observed={})
    story.act("the PostgreSQL dump is restored", "begun")
    story.do("dest as postgres$ pg_restore --single-transaction -d pryv /var/lib/dump", 31.0, tail=f"note: {HOSTILE}")
    story.act("the PostgreSQL dump is restored", "done")
    about: dict[str, Any] = {"expected": TABLES, "observed": observed, "examined": 4, "minimum": 4, "why": WHY, "remedy": REMEDY}
    story.look("after", fact, name, "held" if good else "not held", **about)
    story.end("green" if good else "red", "" if good else f"{name}: not held")


def arrive(story: Story) -> None:
    """Tell 70."""
    story.begin(FILES_ARRIVE, ARRIVED)
    story.look("before", "the manifests are equal", "paths", "absent", witness="files", expected=3120, observed=0)
    story.act("the data roots are transferred", "begun")
    story.do("source$ rsync -a --modify-window=-1 /var/lib/pryv/ dest:/var/lib/pryv/", 41.7, tail="sent 912,004,311 bytes")
    story.act("the data roots are transferred", "done")
    story.look(
        "after", "the manifests are equal", "paths", witness="files", expected=3120, observed=3120, examined=3120, minimum=3120
    )
    story.end()


def launch(story: Story) -> None:
    """Tell 80."""
    story.begin(LAUNCH, LAUNCHED)
    story.look("before", "the dest core is ready", "service info", "absent", witness="api", expected="2.0.1", observed="no answer")
    story.tell("mark", mark="T_start")
    story.act("the dest core is launched", "begun")
    story.do("dest$ systemctl start pryv-core", 6.3)
    story.act("the dest core is launched", "done")
    story.look("after", "the dest core is ready", "service info", witness="api", expected="2.0.1", observed="2.0.1")
    story.end()


def cut_over(story: Story) -> None:
    """Tell 85: users are on the dest."""
    story.begin(CUTOVER, OPENED)
    fact: dict[str, Any] = {"witness": "dns", "expected": "127.0.0.12"}
    story.look("before", "every name server answers the dest's address", "A records", "not held", observed="127.0.0.11", **fact)
    story.tell("mark", mark="T_open")
    story.act("the public name is moved", "begun")
    story.do("DNS core.example.com → A 127.0.0.12 (TTL 2 s)", 0.4)
    story.act("the public name is moved", "done")
    story.look("after", "every name server answers the dest's address", "A records", observed="127.0.0.12", **fact)
    story.end()


def green(path: Path, listener: Callable[[Line], None] | None = None) -> Path:
    """Write the journal of a rehearsal that is green in one go."""
    story = Story(path, listener)
    story.run()
    preflight(story)
    freeze(story)
    dump(story)
    restore(story)
    arrive(story)
    launch(story)
    cut_over(story)
    story.tell("note", text="a note for the change board")
    story.verdict("green", "the core was moved and 9 scenarios prove it", STATE)
    return path


def to_red(story: Story) -> None:
    """Tell a run that is red at the restore, with three scenarios blocked by it."""
    story.run()
    preflight(story)
    freeze(story)
    dump(story)
    restore(story, LOST)
    for feature, scenario in ((FILES_ARRIVE, ARRIVED), (LAUNCH, LAUNCHED), (CUTOVER, OPENED)):
        story.without(feature, scenario, "blocked", f"blocked by: {DATABASES}: {RESTORED}")
    story.verdict("red", "red at 60 · source frozen since 02:05:04: used 1 of 15 min · users see 503", RED_STATE)


def red(path: Path, listener: Callable[[Line], None] | None = None) -> Path:
    """Write the journal of a run that is red."""
    to_red(Story(path, listener))
    return path


def continued(path: Path, listener: Callable[[Line], None] | None = None) -> Path:
    """Write the journal of a run that was red, was continued, and is green."""
    story = Story(path, listener)
    to_red(story)
    story.wait(240)
    story.run(fresh=False)
    preflight(story)
    for scenario in ("The source core is stopped", "The source is measured at rest"):
        story.without(FREEZE, scenario, "settled")
    story.without(DATABASES, "The PostgreSQL dump is complete", "settled")
    story.without(DATABASES, "The MongoDB dump is complete", "not applicable", "the source has no MongoDB")
    restore(story)
    arrive(story)
    launch(story)
    cut_over(story)
    story.verdict("green", "the core was moved and 9 scenarios prove it", STATE)
    return path


def unfinished(path: Path, listener: Callable[[Line], None] | None = None) -> Path:
    """Write the journal of a run whose machine was switched off while the dump was being restored."""
    story = Story(path, listener)
    story.run()
    preflight(story)
    freeze(story)
    dump(story)
    story.begin(DATABASES, RESTORED)
    story.look("before", "the PostgreSQL fingerprints are equal", "fingerprints are equal", "absent", expected=TABLES, observed={})
    story.act("the PostgreSQL dump is restored", "begun")
    story.intend("dest as postgres$ pg_restore --single-transaction -d pryv /var/lib/dump")
    return path
