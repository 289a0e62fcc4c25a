"""The lock of a run folder: read it, take it, release it. Taking names the number that was read, so two cannot both take it.

Usage: lock.py read FOLDER | take FOLDER NUMBER HOLDER_JSON | release FOLDER NUMBER
"""

from __future__ import annotations

import fcntl
import json
import os
import sys


def read(path: str) -> dict[str, object]:
    """Return the lock: its number (0 when it never was taken) and its holder (None when free)."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - one small program without pathlib starts faster
            found: dict[str, object] = json.load(file)
            return found
    except FileNotFoundError:
        return {"number": 0, "holder": None}


def write(path: str, lock: object) -> None:
    """Replace a file in one step, on the disk. The number has a file of its own: deeds compare it before they begin."""
    with open(f"{path}.part", "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
        json.dump(lock, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.part", path)  # noqa: PTH105 - as above


def main(verb: str, folder: str, number: str = "0", holder: str = "null") -> None:
    """Do one verb and print the lock as it then is, with whether it was done."""
    os.umask(0o077)
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
    path = f"{folder}/lock"
    with open(f"{path}.guard", "w", encoding="utf-8") as guard:  # noqa: PTH123 - as above
        fcntl.flock(guard, fcntl.LOCK_EX)
        lock = read(path)
        done = verb == "read" or lock["number"] == int(number)
        if done and verb == "take":
            lock = {"number": int(number) + 1, "holder": json.loads(holder)}
            write(f"{folder}/number", lock["number"])
        elif done and verb == "release":
            lock = {"number": int(number), "holder": None}
        if done and verb != "read":
            write(path, lock)
    print(json.dumps({**lock, "done": done}))  # noqa: T201 - the answer


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:  # a full disk, a folder that is not ours: in one line
        sys.exit(f"lock: {error}")
