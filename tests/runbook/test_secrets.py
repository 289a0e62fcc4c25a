"""Secrets and personal data stay out of the record, the terminal, every argv and environment, whatever goes wrong."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.hosts.world import World
from harness.configuration import flat
from harness.deed import Command, Role
from harness.host import Host
from harness.plan import Plan, load
from harness.transport.ssh import Ssh
from tests.runbook.rehearsing import Rehearsal, service

pytestmark = pytest.mark.rehearsal

SAMPLE_EVERY_S = 0.03
SAMPLES_OF_ONE = 8
CONFIG_SECRETS = {"adminAccessKey", "filesReadTokenSecret", "ssoCookieSignSecret", "piiHmacKey", "password"}
PEOPLE = """
SELECT username FROM users_index WHERE username <> 'verify01' UNION
SELECT user_id FROM users_index WHERE username <> 'verify01' UNION
SELECT value #>> '{}' FROM account_fields WHERE field = 'email' AND value #>> '{}' NOT LIKE 'verify01@%'
"""
# What only seeded users have said (whole texts, as JSON strings: they hold line ends), and what lets one in as one of them.
CONTENT = """
SELECT DISTINCT to_json(content #>> '{}')::text FROM events JOIN users_index USING (user_id)
 WHERE type = 'note/txt' AND username <> 'verify01' AND length(content #>> '{}') > 7
"""
CREDENTIALS = "SELECT token FROM accesses WHERE token IS NOT NULL UNION SELECT hash FROM passwords"
# Done twice, it is as before: what follows the salt is turned round.
OTHER_HASH = """
UPDATE passwords SET hash = left(hash, 29) || reverse(substr(hash, 30)) FROM users_index
 WHERE passwords.user_id = users_index.user_id AND username = 'verify01'
"""
# Once the table is made, no row fits into it: the server's DETAIL then quotes one whole.
SPOIL = """
CREATE FUNCTION public.spoil() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.events') THEN
    ALTER TABLE public.events ADD CONSTRAINT spoiled CHECK (content IS NULL);
  END IF; END $$;
CREATE EVENT TRIGGER spoil ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.spoil();
"""
MEND = "DROP EVENT TRIGGER spoil; DROP FUNCTION public.spoil();"
FILL = "mkdir -p $0; mount -t tmpfs -o size=64k tmpfs $0; chown pryv:pryv $0".replace("$0", "/var/lib/pryv/data")
LOSES_A_FILE = """#!/bin/sh
/usr/bin/rsync "$@"
code=$?
find /var/lib/pryv/data/users -type f -name '*.sqlite' -delete -quit 2>/dev/null
exit $code
"""
TAKES_ITS_TIME = '#!/bin/sh\nsleep 3\nexec /usr/bin/rsync "$@"\n'


@dataclass
class Watch:
    """Reads the argv and environment of every process of this machine every 30 ms (hosts share its process table)."""

    argvs: set[bytes] = field(default_factory=set)
    environments: set[bytes] = field(default_factory=set)
    rounds: int = 0
    _read: dict[str, int] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Sample until told that it is over."""
        while not self._over.wait(SAMPLE_EVERY_S):
            pids = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}
            self._read = {pid: times for pid, times in self._read.items() if pid in pids}
            for pid in pids:
                self._sample(pid)
            self.rounds += 1

    def _sample(self, pid: str) -> None:
        """Read one process; a program that was begun in it by now is caught by reading it several times."""
        self._read[pid] = self._read.get(pid, 0) + 1
        if self._read[pid] <= SAMPLES_OF_ONE:
            for name, found in (("cmdline", self.argvs), ("environ", self.environments)):
                try:
                    found.add(Path("/proc", pid, name).read_bytes())
                except OSError:
                    continue  # it has ended

    @contextmanager
    def on(self) -> Iterator[None]:
        """Watch while something is done."""
        thread = threading.Thread(target=self.watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(10)


def plan_of(rehearsal: Rehearsal) -> Plan:
    return load(rehearsal.world / "plan.yml")


def sql(rehearsal: Rehearsal, role: Role, text: str, database: str = "pryv") -> str:
    """Ask a host's PostgreSQL as its administrator, the statement sent on stdin."""
    plan = plan_of(rehearsal)
    host = Host(role, plan.host(role).ssh, Ssh(role, plan.host(role).ssh), plan.run_folder)
    argv = ("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-")
    try:
        return host.run(Command(role, argv, input=text.encode(), as_user="postgres")).text
    finally:
        host.transport.close()


@contextmanager
def powered_on(rehearsal: Rehearsal) -> Iterator[World]:
    """Have the hosts running between two attempts, and let the next one find them so."""
    world = rehearsal.reopened()
    try:
        yield world
    finally:
        world.keep("the test")


def program(rehearsal: Rehearsal, text: str) -> Path:
    """Put a program before the dest's rsync, which it runs."""
    path = rehearsal.world / "dest" / "fs" / "usr" / "local" / "bin" / "rsync"
    path.write_text(text)
    path.chmod(0o755)
    return path


def needles(rehearsal: Rehearsal) -> dict[str, str]:
    """Return everything that must be found nowhere, by what it is."""
    plan = plan_of(rehearsal)
    [path] = (rehearsal.world / "source" / "fs" / "etc" / "pryv").glob("*.yml")
    config = flat(yaml.safe_load(path.read_text(encoding="utf-8")))
    found = {key: str(value) for key, value in config.items() if key.rsplit(".", maxsplit=1)[-1] in CONFIG_SECRETS}
    assert {key.rsplit(".", maxsplit=1)[-1] for key in found} == CONFIG_SECRETS
    found |= {"verification password": plan.verification_user.password.read().value}
    tsig = yaml.safe_load((rehearsal.world / "plan.yml").read_text(encoding="utf-8"))["cutover"]["dns"]["key"]["secret"]["file"]
    found |= {"TSIG": Path(tsig).read_text(encoding="utf-8").strip()}
    found |= {f"person {one}": one for one in sql(rehearsal, Role.SOURCE, PEOPLE).splitlines()}
    found |= {f"content {one}": json.loads(one) for one in sql(rehearsal, Role.SOURCE, CONTENT).splitlines()}
    found |= {f"credential {one[:9]}": one for one in sql(rehearsal, Role.SOURCE, CREDENTIALS).splitlines()}
    assert len([name for name in found if name.startswith("person")]) >= 9
    assert len([name for name in found if name.startswith("content")]) >= 9
    return found


def kept(rehearsal: Rehearsal) -> dict[str, str]:
    """Return what the run itself minted: its key, and the tokens of the verification user."""
    folder = rehearsal.record / "private"
    minted: dict[str, Any] = json.loads((folder / "verification.json").read_text(encoding="utf-8"))
    read_token = minted["events"][-1]["attachments"][0]["readToken"]
    key = json.loads((folder / "key.json").read_text(encoding="utf-8"))["key"]
    tokens = {name: access["token"] for name, access in minted["accesses"].items()}
    own = {"personal token": minted["personal"], "readToken": read_token, "run's key": key}
    return {**own, **tokens, "token of the deleted account": minted["departed"]["token"]}


def haystacks(rehearsal: Rehearsal) -> dict[str, bytes]:
    """Return what people get to see and stays on the hosts: the record without its private folder, the terminal, the copies."""
    record = [path for path in rehearsal.record.rglob("*") if path.is_file() and "private" not in path.parts]
    copies = list(rehearsal.worlds.glob("worlds/*/*/fs/var/lib/pryv-migration/*/journal.jsonl"))
    shown = [rehearsal.folder / "printed", *record, *copies]
    return {str(path.relative_to(rehearsal.folder)): path.read_bytes() for path in shown}


def found_in(stacks: dict[str, bytes], wanted: dict[str, str]) -> list[str]:
    """Return which of the wanted texts lie where, written as they are, in JSON or in HTML."""
    found = []
    for name, text in wanted.items():
        forms = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], html.escape(text)}
        found += [f"{name} in {where}" for where, raw in stacks.items() if any(form.encode() in raw for form in forms)]
    return found


def refused_sign_in(rehearsal: Rehearsal, _password: str) -> int:
    """Let the verification user's right password be refused."""
    with powered_on(rehearsal):
        sql(rehearsal, Role.SOURCE, OTHER_HASH)
    code = rehearsal.run()
    with powered_on(rehearsal):
        sql(rehearsal, Role.SOURCE, OTHER_HASH)
    return code


def another_password(rehearsal: Rehearsal, password: str) -> int:
    """Let the core's role have another password on the dest than in its config."""
    with powered_on(rehearsal):
        sql(rehearsal, Role.DEST, "ALTER ROLE pryv PASSWORD 'another one'")
    code = rehearsal.run()
    with powered_on(rehearsal):
        sql(rehearsal, Role.DEST, f"ALTER ROLE pryv PASSWORD '{password}'")
    return code


def spoiled_restore(rehearsal: Rehearsal, _password: str) -> int:
    """Let a restore fail with a server's DETAIL that quotes a row."""
    rehearsal.begin()
    rehearsal.until(lambda: rehearsal.begun("The source core is fenced"), "the freeze")
    rehearsal.slow_down("source", "pg_dump", 3)
    rehearsal.until(lambda: rehearsal.slow_log("source", "pg_dump"), "the dump")
    sql(rehearsal, Role.DEST, SPOIL)
    code = rehearsal.end()
    with powered_on(rehearsal):
        rehearsal.speed_up("source", "pg_dump")
        sql(rehearsal, Role.DEST, MEND)
    return code


def full_disk(rehearsal: Rehearsal, _password: str) -> int:
    """Let rsync fail with errors of its own, which name users' files."""
    with powered_on(rehearsal):
        rehearsal.inside("dest", "sh", "-c", FILL)
    code = rehearsal.run()
    with powered_on(rehearsal) as world:
        world.power_off("dest")
        world.power_on()
    return code


def lost_file(rehearsal: Rehearsal, _password: str) -> int:
    """Let a file be lost on the dest once it has arrived."""
    program(rehearsal, LOSES_A_FILE)
    return rehearsal.run()


def attempts(rehearsal: Rehearsal) -> int:
    """Count how often files were begun to be sent."""
    return sum(line["kind"] == "intent" and line["deed"].startswith("rsync /var/lib/pryv/data") for line in rehearsal.lines)


def cut_off(rehearsal: Rehearsal, _password: str) -> int:
    """Let the dest be gone while files are sent to it."""
    loses, before = program(rehearsal, TAKES_ITS_TIME), attempts(rehearsal)
    rehearsal.begin()
    rehearsal.until(lambda: attempts(rehearsal) > before, "the files")
    service(rehearsal, "dest", "stop", "sshd")
    code = rehearsal.end()
    loses.unlink()
    with powered_on(rehearsal):
        service(rehearsal, "dest", "start", "sshd")
    return code


# What goes wrong, and a pattern of the cause that the record then tells: a host that is gone is met by the rsync or by a look.
WRONG = (
    (refused_sign_in, "password: not held"),
    (another_password, "password authentication failed"),
    (spoiled_restore, "pg_restore"),
    (full_disk, "No space left on device"),
    (lost_file, "manifest of /var/lib/pryv/data"),
    (cut_off, "rsync error|dest is unreachable"),
)


def test_whatever_goes_wrong_no_secret_and_no_person_is_in_the_record_on_the_terminal_or_in_a_process(rehearsal: Rehearsal) -> None:
    watch = Watch()
    # Up to the gate before the freeze; the hosts are made before the watch, as their making is no part of the harness.
    assert rehearsal.run("--ask") == 12, rehearsal.printed
    with powered_on(rehearsal):
        wanted = needles(rehearsal) | kept(rehearsal)

    causes, began = [], time.monotonic()
    with watch.on():
        for wrong, _ in WRONG:
            assert wrong(rehearsal, wanted["storages.engines.postgresql.password"]) == 1, rehearsal.printed
            causes.append(rehearsal.cause())
        wanted |= kept(rehearsal)
        found = found_in(haystacks(rehearsal), wanted)
        told_apart(rehearsal)
        assert rehearsal.run() == 0, rehearsal.printed
    seconds = time.monotonic() - began

    assert "dest is unreachable" in rehearsal.printed
    assert [cause for (_, pattern), cause in zip(WRONG, causes, strict=True) if not re.search(pattern, cause)] == [], causes
    found += found_in(haystacks(rehearsal), wanted)
    found += found_in({"argv": b"\n".join(watch.argvs), "environment": b"\n".join(watch.environments)}, wanted)
    assert found == []
    assert watch.rounds > seconds / SAMPLE_EVERY_S / 10
    assert any(b"pg_restore" in argv for argv in watch.argvs)
    assert not (rehearsal.record / "private").exists()


def told_apart(rehearsal: Rehearsal) -> None:
    """Assert that there was something to keep out, that it is where only the operator reads it, and that the record says so."""
    tails = rehearsal.record / "private" / "tails.jsonl"
    raw, recorded = tails.read_text(encoding="utf-8"), (rehearsal.record / "journal.jsonl").read_text(encoding="utf-8")
    assert tails.stat().st_mode & 0o777 == 0o600
    assert "Failing row contains" in raw
    assert "/var/lib/pryv/data/users/" in raw
    assert "Failing row contains" not in recorded
    assert "/var/lib/pryv/data/users/~" in recorded
    assert "(the raw output is in private/tails.jsonl)" in recorded
