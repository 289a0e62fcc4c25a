"""How long users wait: the guide typed by hand without any proof, beside the runbook, `literal` and `preseed`, proof included.

All three move the same synthetic data between loopback hosts over one link of 200 Mbit/s: on the source, whatever goes through ssh
to the dest shares a bucket of that rate. By hand the guide's own commands are run in its order, on hosts that the runbook has
prepared up to the freeze; that time ends when the dest core answers. The runbook's is what users wait: from T_stop to T_open.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.hosts import ready
from fixtures.hosts.servers import API_PORT
from fixtures.hosts.world import World, open_world
from harness.client.waited import PACE
from harness.control import control
from harness.deed import Command, Role
from harness.host import Host
from harness.journal import read
from harness.plan import load
from harness.run.endings import STOPPED
from harness.transport.ssh import Ssh
from tests.bench import link
from tests.bench.rehearsals import FIRST, ROOT, frozen, split
from tests.bench.telling import Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.journal import Line
    from harness.plan import Plan

LONGEST_S = 1200.0
USERS, DATABASE = "/var/lib/pryv/data/users", "pryv"
DATA = "/var/lib/pryv/data/"
# About 0.2 GB: 62,000 events and 150,000 points (114 MB in PostgreSQL), 2,100 files (113 MB).
EVENTS, POINTS, FILES, FILE_BYTES = 62_000, 150_000, 2_100, 54_000
FILL_ROWS = """
CREATE TEMP TABLE person AS SELECT min(user_id) AS user_id FROM users_index;
INSERT INTO events (user_id, id, stream_ids, time, end_time, type, content, description, integrity, created, created_by, modified,
                    modified_by)
SELECT user_id, 'c' || substr(md5(g::text), 1, 24), '["diary"]', 1750000000 + g, 1750000000 + g, 'note/txt',
       to_jsonb(repeat(md5(g::text), 6)), md5((g + 1)::text), 'EVENT:0:sha256-' || md5((g + 2)::text) || md5((g + 3)::text),
       1750000000 + g, 'bench', 1750000000 + g, 'bench' FROM person, generate_series(1, :events) AS g;
INSERT INTO event_streams SELECT user_id, 'c' || substr(md5(g::text), 1, 24), 'diary', 'diary/'
  FROM person, generate_series(1, :events) AS g;
INSERT INTO series_data SELECT user_id, 'c' || substr(md5((g / 1000)::text), 1, 24), 1750000000 + g, g,
       jsonb_build_object('value', md5(g::text)) FROM person, generate_series(1, :points) AS g;
SELECT user_id FROM person
"""
FILL_FILES = """
import os, pathlib, sys
top, person, files, size = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
[mine] = [path for path in top.glob(f"*/*/*/{person}")]
for number in range(files):
    folder = mine / "attachments" / f"bench-{number:06}"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(os.urandom(size))
"""
STEPS: Mapping[str, str] = {
    "The source core is fenced": "stop, fence, writes tried",
    "The fence holds against the usual start command": "stop, fence, writes tried",
    "The PostgreSQL database is measured at rest": "measured at rest",
    "The files are measured at rest": "measured at rest",
    "What was measured is sealed": "measured at rest",
    "The PostgreSQL dump is complete": "dump",
    "The PostgreSQL dump is the same on both hosts": "transfer of the dump",
    "The PostgreSQL database arrives unchanged": "restore",
    "The PostgreSQL database is ready for users": "statistics",
    "The data roots arrive unchanged": "files",
    "Every file belongs to the core": "files looked at again",
    "A second transfer moves nothing": "files looked at again",
    "Every SQLite file is whole": "files looked at again",
    "No folder belongs to a user that does not exist": "files looked at again",
}
LAUNCH, WRITES = "launch, until users are led there", "stop, fence, writes tried"
ROWS = tuple(dict.fromkeys((*STEPS.values(), LAUNCH)))
GUIDE = "the guide by hand, no proof"


@dataclass(frozen=True, slots=True)
class Waited:
    """How long users waited, by steps; what first looks and standing facts took of it; how fast reads were before and after."""

    steps: Mapping[str, float]
    looks: float = 0.0
    reads: str = ""

    @property
    def whole(self) -> float:
        """The seconds in all."""
        return sum(self.steps.values())


def hosts_of(plan: Plan) -> dict[Role, Host]:
    """Return both hosts, reached as a run reaches them, but holding no lock."""
    return {role: Host(role, plan.host(role).ssh, Ssh(role, plan.host(role).ssh), plan.run_folder) for role in Role}


def fill(world: World, times: int) -> None:
    """Put synthetic data into the source, and the link before its ssh."""
    plan = load(world.plan_path)
    source = hosts_of(plan)[Role.SOURCE]
    try:
        sets = f"\\set events {EVENTS * times}\n\\set points {POINTS * times}\n"
        psql = ("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", DATABASE, "-f", "-")
        filled = source.run(Command(Role.SOURCE, psql, input=(sets + FILL_ROWS).encode(), as_user="postgres", timeout_s=LONGEST_S))
        argv = ("python3", "-", USERS, filled.text, str(FILES * times), str(FILE_BYTES))
        source.run(Command(Role.SOURCE, argv, input=FILL_FILES.encode(), as_user=plan.core.user, timeout_s=LONGEST_S))
    finally:
        source.transport.close()
    link.lay(world.folder / "source" / "fs", str(plan.source.address))


def typed(folder: Path, *more: str) -> int:
    """Type the command of a rehearsal on the kept world; returns its exit code."""
    where = ("--worlds", str(folder / "w"), "--reports", str(folder / "r"), "--hosts", "loopback")
    with (folder / "printed").open("ab") as out:
        argv = (sys.executable, "-m", "pytest", "features/", *where, *more)
        return subprocess.run(argv, cwd=ROOT, stdout=out, stderr=out, check=False, timeout=LONGEST_S).returncode


def by_runbook(folder: Path) -> Waited:
    """Move the core by the runbook; ends the program unless all is green."""
    if code := typed(folder):
        sys.exit(f"ended with {code}:\n{(folder / 'printed').read_text()[-3000:]}")
    [journal] = (folder / "r").glob("*/journal.jsonl")
    lines = frozen(read(journal).lines)
    return Waited(by_steps(lines), split(lines)[FIRST], reads_of(read(journal).lines))


def reads_of(lines: Sequence[Line]) -> str:
    """Return what a read of the client took before the freeze and since users are served by the dest, in ms (medians)."""
    [paced] = [line["observed"] for line in lines if line["kind"] == "check" and line["name"] == PACE]
    return f"{1000 * paced['before the freeze']:.1f} → {1000 * paced['since users are served']:.1f}"


def by_steps(lines: Sequence[Line]) -> dict[str, float]:
    """Return the seconds of each step; what lies before a line belongs to its scenario, or to the one before."""
    found, step, before = dict.fromkeys(ROWS, 0.0), WRITES, datetime.fromisoformat(lines[0]["time"])
    for line in lines:
        name = line.get("scenario", "")
        step = STEPS.get(name) or (WRITES if name.endswith("source's data is open") else LAUNCH if name else step)
        now = datetime.fromisoformat(line["time"])
        found[step] += (now - before).total_seconds()
        before = now
    return found


def by_hand(folder: Path, world: World) -> Waited:
    """Type the guide's commands, in its order, on hosts that are ready for the freeze; nothing is proved."""
    if (code := typed(folder, "--ask")) != STOPPED:
        sys.exit(f"ended with {code} before the freeze:\n{(folder / 'printed').read_text()[-3000:]}")
    plan = load(world.plan_path)
    hosts = hosts_of(plan)
    try:
        _make_key(hosts)
        return Waited(dict(_steps_of_the_guide(plan, hosts)))
    finally:
        for host in hosts.values():
            host.transport.close()


def _make_key(hosts: Mapping[Role, Host]) -> None:
    make = 'rm -f /root/guide; ssh-keygen -q -t rsa -b 4096 -N "" -f /root/guide; cat /root/guide.pub'
    public = hosts[Role.SOURCE].run(Command(Role.SOURCE, ("sh", "-c", make))).out
    add = Command(Role.DEST, ("sh", "-c", f"cat >> ~/.ssh/authorized_keys; mkdir -p {DATA}"), input=public)
    hosts[Role.DEST].run(add)


def _steps_of_the_guide(plan: Plan, hosts: Mapping[Role, Host]) -> Iterator[tuple[str, float]]:
    """Run each command of the guide and yield the step that it belongs to, with its seconds."""
    known = f"{plan.run_folder}/known_hosts"
    ssh = f"ssh -p {plan.dest.ssh.port} -i /root/guide -o StrictHostKeyChecking=yes -o UserKnownHostsFile={known}"
    dest, dump = f"{plan.dest.ssh.user}@{plan.dest.address}", "/tmp/pryv_db.dump"
    tree = ("rsync", "--verbose", "--copy-links", "--archive", "--compress", "-e", ssh, DATA, f"{dest}:{DATA}")
    again = f"dropdb {DATABASE} && createdb -O {DATABASE} {DATABASE}"
    typed_in: tuple[tuple[str, Command], ...] = (
        ("stop, fence, writes tried", control(plan).stop(Role.SOURCE)),
        ("dump", Command(Role.SOURCE, ("sh", "-c", f"pg_dump -Fc {DATABASE} > {dump}"), as_user="postgres")),
        ("transfer of the dump", Command(Role.SOURCE, ("rsync", "-e", ssh, dump, f"{dest}:{dump}"))),
        ("restore", Command(Role.DEST, ("sh", "-c", f"{again} && pg_restore -d {DATABASE} {dump}"), as_user="postgres")),
        ("files", Command(Role.SOURCE, tree)),
        (LAUNCH, control(plan).start(Role.DEST)),
    )
    for step, command in typed_in:
        began = time.monotonic()
        hosts[command.host].run(Command(command.host, command.argv, as_user=command.as_user, timeout_s=LONGEST_S))
        if step == LAUNCH:
            ready.core(str(plan.dest.address), API_PORT)
        yield step, time.monotonic() - began


def moved(way: str, times: int) -> Waited:
    """Move a core with so many times 0.2 GB, on hosts made for it, and return how long users waited."""
    with tempfile.TemporaryDirectory(prefix="bench-frozen-") as name:
        folder = Path(name)
        transfer = "literal" if way == GUIDE else way
        world = open_world(folder / "w", fresh=True, transfer=transfer, say=lambda _: None)
        try:
            fill(world, times)
            world.keep("the measurement")
            return by_hand(folder, world) if way == GUIDE else by_runbook(folder)
        finally:
            subprocess.run((sys.executable, "-m", "fixtures.hosts", "clean", str(folder / "w")), cwd=ROOT, check=False)


def measured(times: int) -> Section:
    """Return how long users wait by each way."""
    ways = {way: moved(way, times) for way in (GUIDE, "literal", "preseed")}
    table = [("seconds that users wait", *ways)]
    table += [(row, *(f"{one.steps.get(row, 0):.1f}" for one in ways.values())) for row in ROWS]
    table.append(("in all", *(f"{one.whole:.1f}" for one in ways.values())))
    table.append(("of it first looks and standing facts", *(f"{one.looks:.1f}" for one in ways.values())))
    table.append(("a read of users before and after, ms", *(one.reads for one in ways.values())))
    share = ways["preseed"].whole / ways[GUIDE].whole
    verdict = "met" if share <= 1 / 2 else "MISSED"
    outcome = [f"Target {verdict}: preseed, proof included, takes {share:.2f} of the time of the guide by hand (asked: a half)."]
    about = (
        f"{EVENTS * times:,} events, {POINTS * times:,} points, {FILES * times:,} files of {FILE_BYTES // 1000} kB, over a link"
        " of 200 Mbit/s that all transfers share; the stand-in core, both hosts and the harness on one machine. One run each."
        " What is done side by side stands where users wait for it."
    )
    return Section(f"Frozen time, {0.2 * times:g} GB", about, table, outcome)
