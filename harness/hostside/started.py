"""Tells how the core's master process was started: its arguments, its environment, its folder.

Usage: started.py APP_PATH USER KEPT_FILE [PID]

A master is a process of this host, not of a container on it, with a program called master, master.js or master.py in its arguments,
that belongs to the core: its user, its tree or its folder says so. With PID it is a process of the container whose process that
is; 0: of one that does not run. Its workers have the same arguments; they are left out, as their parent is one. Printed is JSON:
{"running": [{"pid", "argv", "environ", "cwd", "began"}], "kept": what KEPT_FILE holds or null}; `began` is seconds since the epoch.
Bytes that are no UTF-8 become lone surrogates. Exit 5: the environment of a master may not be read.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
import time
from typing import Any

MASTERS = {b"master", b"master.js", b"master.py"}
FORBIDDEN = 5


def words(pid: str, name: str) -> list[bytes]:
    """Return the zero-ended words of a file of a process; none when it has ended."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123 - one small program without pathlib starts faster
            return file.read().split(b"\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def parent_and_user(pid: str) -> tuple[str, str]:
    """Return the pid of a process's parent and the name of its user."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as above
            parent = file.read().rpartition(")")[2].split()[1]
        uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - as above
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    try:
        return parent, pwd.getpwuid(uid).pw_name
    except KeyError:  # a container has users of its own
        return parent, ""


def folder(pid: str) -> str:
    """Return the working folder of a process, or nothing when it cannot be told."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115 - as above
    except OSError:
        return ""


def has_root(pid: str, root: str) -> bool:
    """Whether a process sees this folder as its root folder."""
    try:
        return os.path.samefile(f"/proc/{pid}/root", root)  # noqa: PTH121 - as above
    except OSError:
        return False


def masters(app: str, user: str, root: str) -> list[str]:
    """Return the pids of the core's masters, among the processes with this root folder."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - names are all that is wanted
        argv = words(pid, "cmdline")
        if not any(word.rpartition(b"/")[2] in MASTERS for word in argv):
            continue
        parent, owner = parent_and_user(pid)
        below = [os.fsencode(f"{app}/"), os.fsencode(app)]
        at_home = f"{folder(pid)}/".startswith(f"{app}/") or any(word.startswith(below[0]) for word in argv)
        if (owner == user or at_home) and has_root(pid, root):
            found[pid] = parent
    return [pid for pid, parent in found.items() if parent not in found]


def told(pid: str) -> dict[str, Any]:
    """Return how a process was started."""
    argv, environ = ([os.fsdecode(word) for word in words(pid, name)] for name in ("cmdline", "environ"))
    return {"pid": int(pid), "argv": argv, "environ": environ, "cwd": folder(pid), "began": began(pid)}


def began(pid: str) -> float:
    """Return when a process was started (its folder in /proc has the time of the first look instead); 0.0 when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as above
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as file:  # noqa: PTH123 - as above
            up = float(file.read().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")


def main(app: str, user: str, kept: str, inside: str = "") -> int:
    """Print what is asked for."""
    root = f"/proc/{inside}/root" if inside else "/"
    try:
        running = [one for one in map(told, masters(app, user, root)) if one["argv"]]
    except PermissionError as error:
        print(error.filename)  # noqa: T201 - the answer
        return FORBIDDEN
    try:
        with open(kept, encoding="utf-8") as file:  # noqa: PTH123 - as above
            before = json.load(file)
    except FileNotFoundError:
        before = None
    print(json.dumps({"running": running, "kept": before}))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
