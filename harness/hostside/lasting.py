"""Deeds that outlive a lost link: begun detached, followed from afar.

Usage: lasting.py start FOLDER JSON_ARGV | wait FOLDER SECONDS | list PARENT | end FOLDER

`start` runs argv unless it runs already. The lock FOLDER.lock is held by a watcher process for the deed's whole life, so two
starts at the same moment run it once. A finished attempt is moved to FOLDER.1, FOLDER.2, …; of one whose watcher was killed, what
survived is ended first. In FOLDER lie
  state.json  {"pid", "start", "boot", "began", "deed": {"pid", "start"}}: the watcher and the deed, which leads a session and a
              process group of its own; a start is in clock ticks after boot, as a pid alone may be another process by now
  out, err    what the deed prints
  exit        {"exit", "seconds"}, once it has ended; 128 and the signal's number when a signal ended it
A deed begins once its pid is in state.json. Every verb prints one JSON line: start {"state": "running"}; wait and end
{"state", "exit", "seconds", "out_bytes", "out": first 64 kB, "tail": last 10 lines of err}; list {name: state}. States: running,
done, lost (no exit, and no watcher that would write one: killed, or the host rebooted, or its logind ends what a user leaves
behind), none (no such deed).
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

POLL_S = 0.02
START_WITHIN_S = 10.0
MERCY_S = 5.0
SHOWN_OUT_BYTES = 64 * 1024
SHOWN_ERR_BYTES = 16 * 1024
TAIL_LINES = 10
NOT_STARTED = 127
SIGNALLED = 128
STATE, SESSION, START = 0, 3, 19  # fields of /proc/PID/stat after the program's name, counted from 0


def boot() -> str:
    """Return the id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def facts(pid: int) -> list[str]:
    """Return the fields of a process that follow its name, or none when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [] if fields[STATE] in {"Z", "X"} else fields


def alive(process: dict[str, Any]) -> bool:
    """Whether a process recorded as {pid, start} in this boot still runs."""
    fields = facts(process["pid"])
    return bool(fields) and fields[START] == process["start"]


def recorded(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or an empty one when there is no such file."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return found


def record(path: Path, content: dict[str, Any]) -> None:
    """Write a file in one step, on the disk."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def state(folder: Path) -> str:
    """Return running, done, lost or none."""
    found = recorded(folder / "state.json")
    running = found.get("boot") == boot() and alive(found)
    # The exit is looked for after the watcher: one that ended in between has written it.
    if (folder / "exit").exists():
        return "done"
    if running:
        return "running"
    return "lost" if found else "none"


def members(folder: Path) -> list[int]:
    """Return the living processes of the deed's session."""
    found = recorded(folder / "state.json")
    if found.get("boot") != boot():
        return []
    leader = found["deed"]
    taken = facts(leader["pid"])
    if taken and taken[START] != leader["start"]:
        return []  # the number is another process's by now
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    found_of = {pid: fields for pid in pids if (fields := facts(pid))}
    return [pid for pid, fields in found_of.items() if leader["pid"] in {pid, int(fields[SESSION])}]


def send(pids: list[int], number: int) -> None:
    """Send a signal to processes, those that are gone left out."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def end_members(folder: Path) -> None:
    """End what runs of a deed: asked by SIGTERM, after 5 s by SIGKILL; raises OSError when something cannot be ended."""
    send(members(folder), signal.SIGTERM)
    asked = time.monotonic()
    while left := members(folder):
        if time.monotonic() - asked > MERCY_S:
            send(left, signal.SIGKILL)
        if time.monotonic() - asked > 2 * MERCY_S:
            raise OSError(f"processes {left} of {folder} cannot be ended")
        time.sleep(POLL_S)


def start(folder: Path, argv: list[str]) -> dict[str, Any]:
    """Begin the deed unless it runs; raises OSError when neither can be had."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Path(f"{folder}.lock").open("ab") as lock:
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            if taken(lock.fileno()):
                begin(folder, argv)
                return {"state": "running"}
            if state(folder) == "running":
                return {"state": "running"}
            time.sleep(POLL_S)  # another start is about to begin it, or a watcher about to end
    raise OSError(f"{folder}.lock is held, but by no deed")


def taken(lock: int) -> bool:
    """Take the lock if it is free; whether it was."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def begin(folder: Path, argv: list[str]) -> None:
    """Set an earlier attempt aside and start the watcher, which keeps the lock; returns when the deed has begun."""
    if folder.exists():
        if state(folder) == "lost":
            end_members(folder)
        number = 1
        while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
            number += 1
        folder.rename(aside)
    folder.mkdir(mode=0o700)
    begun, tell = os.pipe()
    if not os.fork():
        try:
            os.setsid()
            if not os.fork():
                watch(folder, argv, tell)
        finally:
            os._exit(1)  # whatever happened, a child never goes on as its parent
    os.close(tell)
    if not os.read(begun, 1):
        raise OSError(f"the watcher of {folder} did not start")


def watch(folder: Path, argv: list[str], tell: int) -> NoReturn:
    """Start the deed, record it, wait for its end and record that."""
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)  # whoever reads our output shall see its end
    go, let_go = os.pipe()
    began, wall = time.monotonic(), time.time()
    pid = os.fork()
    if not pid:
        try:
            os.close(let_go)
            do(folder, argv, go)
        finally:
            os._exit(NOT_STARTED)
    os.close(go)
    deed = {"pid": pid, "start": facts(pid)[START]}
    own = {"pid": os.getpid(), "start": facts(os.getpid())[START], "boot": boot(), "began": wall}
    record(folder / "state.json", {**own, "deed": deed})
    os.write(let_go, b"!")
    os.write(tell, b"!")
    os.close(tell)
    _, status = os.waitpid(pid, 0)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else SIGNALLED + os.WTERMSIG(status)
    record(folder / "exit", {"exit": code, "seconds": round(time.monotonic() - began, 3)})
    os._exit(0)


def do(folder: Path, argv: list[str], go: int) -> NoReturn:
    """Become the deed, once the watcher says so; if the watcher is gone, end."""
    os.setsid()
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    if not os.read(go, 1):
        os._exit(NOT_STARTED)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(NOT_STARTED)


def piece(path: Path, offset: int, length: int) -> str:
    """Return a piece of a file as text; nothing when there is no such file. A negative offset counts from its end."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size + offset) if offset < 0 else offset)
            return file.read(length).decode(errors="replace")
    except FileNotFoundError:
        return ""


def answer(folder: Path) -> dict[str, Any]:
    """Return what is known of a deed."""
    now, ended = state(folder), recorded(folder / "exit")
    out = folder / "out"
    began = recorded(folder / "state.json").get("began", time.time())
    return {
        "state": now,
        "exit": ended.get("exit"),
        "seconds": ended.get("seconds", round(time.time() - began, 3)),
        "out_bytes": out.stat().st_size if out.exists() else 0,
        "out": piece(out, 0, SHOWN_OUT_BYTES),
        "tail": "\n".join(piece(folder / "err", -SHOWN_ERR_BYTES, SHOWN_ERR_BYTES).splitlines()[-TAIL_LINES:]),
    }


def wait(folder: Path, seconds: float) -> dict[str, Any]:
    """Wait until the deed no longer runs, or the seconds have passed."""
    deadline = time.monotonic() + seconds
    while state(folder) == "running" and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return answer(folder)


def listed(parent: Path) -> dict[str, Any]:
    """Return the state of every deed in a folder."""
    folders = sorted(parent.iterdir()) if parent.exists() else []
    return {folder.name: {"state": state(folder)} for folder in folders if folder.is_dir()}


def end(folder: Path) -> dict[str, Any]:
    """End the deed and whatever is left of it; returns what is known of it then."""
    if state(folder) in {"running", "lost"}:
        end_members(folder)
    return wait(folder, MERCY_S)


def main(verb: str, path: str, argument: str = "") -> int:
    """Do one verb and print its answer; returns the exit code."""
    os.umask(0o077)
    folder = Path(path)
    try:
        if verb == "start":
            said = start(folder, json.loads(argument))
        elif verb == "wait":
            said = wait(folder, float(argument))
        else:
            said = {"list": listed, "end": end}[verb](folder)
    except OSError as error:
        print(f"lasting: {error}", file=sys.stderr)  # noqa: T201 - the answer
        return 1
    print(json.dumps(said))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
