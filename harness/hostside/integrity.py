"""Runs the core's own integrity check beside its running master, and tells what it found in counts and digests.

Usage: integrity.py APP_PATH SECONDS, as the core's user; integrity.py APP_PATH SECONDS PID, as root

The check is the master's sibling (bin/master.js: bin/integrity-check.js), run by the same program, in the same folder, with the
same environment. It takes no --config (it then prints how it is used and exits 0 with nothing checked): the config file and what
else the master's arguments say go by the environment, with the logs off that would mix with the answer. With PID, the first process
of the core's container, all this is done inside that container. Printed is JSON: {"exit",
"users", "events", "accesses", "errors": [digests of who and what, sorted]}; {"missing": path} where there is no such check;
{"running": n} where not one master runs. Exit 0 in each case.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

MASTERS = {b"master", b"master.js", b"master.py"}


def words(pid: str, name: str) -> list[bytes]:
    """Return the zero-ended words of a file of a process; none when it has ended or is another's."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123 - one small program without pathlib starts faster
            return file.read().split(b"\0")[:-1]
    except OSError:
        return []


def place(argv: list[bytes]) -> int:
    """Return which word is the master's program, or -1."""
    return next((at for at, word in enumerate(argv) if word.rpartition(b"/")[2] in MASTERS), -1)


def parent_in(pid: str, app: str, inside: str) -> str:
    """Return the parent of a process that is this user's, or is inside, and has a master of a tree in its argv; else nothing."""
    argv = words(pid, "cmdline")
    at = place(argv)
    try:
        at_home = at >= 0 and (argv[at].startswith(os.fsencode(f"{app}/")) or os.readlink(f"/proc/{pid}/cwd") == app)  # noqa: PTH115 - as above
        ours = bool(inside) or os.stat(f"/proc/{pid}").st_uid == os.getuid()  # noqa: PTH116 - as above
        root = f"/proc/{inside}/root" if inside else "/"
        if not (at_home and ours and os.path.samefile(f"/proc/{pid}/root", root)):  # noqa: PTH121 - as above
            return ""
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as above
            return file.read().rpartition(")")[2].split()[1]
    except OSError:  # it has ended
        return ""


def masters(app: str, inside: str) -> list[str]:
    """Return the pids of the masters of this user in a tree; a master's workers have its argv and are left out."""
    parents = {pid: parent_in(pid, app, inside) for pid in filter(str.isdigit, os.listdir("/proc"))}  # noqa: PTH208 - names are all that is wanted
    found = {pid: parent for pid, parent in parents.items() if parent}
    return [pid for pid, parent in found.items() if parent not in found]


def environment(pid: str, arguments: list[bytes]) -> dict[bytes, bytes]:
    """Return the environment of the check: the master's own, then its arguments, then no logs."""
    found = dict(word.split(b"=", 1) for word in words(pid, "environ") if b"=" in word)
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).removeprefix(b"--").partition(b"=")
        if not equals and rest and not rest[0].startswith(b"--"):
            value = rest.pop(0)
        found[name.replace(b":", b"__")] = value
    return found | {b"logs__console__active": b"false", b"logs__file__active": b"false"}


def digest(*parts: object) -> str:
    """Return a short digest of who and what."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def told(reports: list[dict[str, Any]], code: int) -> dict[str, Any]:
    """Return what the reports say, without names."""
    kinds = ("events", "accesses")
    errors = [
        digest(one["userId"], kind, error.get("eventId") or error.get("accessId") or error.get("id") or error)
        for one in reports
        for kind in kinds
        for error in (found if isinstance(found, dict) else {"id": found} for found in one[kind]["errors"])
    ]
    counts = {kind: sum(one[kind]["checked"] for one in reports) for kind in kinds}
    return {"exit": code, "users": len(reports), **counts, "errors": sorted(errors)}


def entered(pid: str) -> tuple[str, ...]:
    """Return the words that run a program in a process's own container, as its user, in its folder."""
    found = os.stat(f"/proc/{pid}")  # noqa: PTH116 - as above
    return ("nsenter", "-t", pid, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "-S", str(found.st_uid), "-G", str(found.st_gid), "--")


def main(app: str, seconds: str, inside: str = "") -> int:
    """Run the check and print what it found."""
    pids = masters(app, inside)
    if len(pids) != 1:
        print(json.dumps({"running": len(pids)}))  # noqa: T201 - the answer
        return 0
    argv = words(pids[0], "cmdline")
    at, folder = place(argv), os.readlink(f"/proc/{pids[0]}/cwd")  # noqa: PTH115 - as above
    master = os.path.join(os.fsencode(folder), argv[at])  # noqa: PTH118 - as above
    check = os.path.dirname(master) + b"/integrity-check" + os.path.splitext(master)[1]  # noqa: PTH120, PTH122 - as above
    if not os.path.exists(b"".join((os.fsencode(f"/proc/{inside}/root") if inside else b"", check))):  # noqa: PTH110 - as above
        print(json.dumps({"missing": os.fsdecode(check)}))  # noqa: T201 - the answer
        return 0
    ran = subprocess.run(
        [*(entered(pids[0]) if inside else ()), *argv[:at], check, b"--json"],
        env=environment(pids[0], argv[at + 1 :]),
        cwd=None if inside else folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=float(seconds),
        check=False,
    )
    print(json.dumps(told(json.loads(ran.stdout), ran.returncode)))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
