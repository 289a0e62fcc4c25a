"""Reads the files of a tree while it is in use, so that manifest.py need not read them again once it is at rest.

Usage: ahead.py ROOT [--follow] [--exclude GLOB]... --out FILE

A file is known only if it cannot have changed unseen since: it held still while it was read, and its ctime, which no program can
set back, was by then older than 2 s (a clock that ticks slowly gives two changes one time). What databases write in place is never
known: *.sqlite, *.db, *-wal, *-journal; nor are paths with a backslash, TAB or newline.

FILE is one JSON line {"boot": this boot's id, "root": the tree, "files": seen, "known": lines, "databases": left out, "changed":
changed, vanished or too young}, then a line `size mtime ctime device inode sha256 TAB path` for each known file, times in ns, in
manifest.py's order: depth first, the names in a folder by their bytes. It is written as FILE.part and renamed (mode 0600). The JSON
line is printed too. GLOBs and --follow are manifest.py's. One file is read at a time: users are being served meanwhile.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import re
import stat
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTLED_S = 2.0
MARGIN_S = 0.1
CHUNK_BYTES = 1 << 20
DATABASE = re.compile(rb"(\.sqlite3?|\.db|-wal|-journal)$")
STRANGE = re.compile(rb"[\\\t\n]")


def walk(root: bytes, prefix: bytes, excluded: Callable[[bytes], object], *, follow: bool) -> Iterator[bytes]:
    """Yield the regular files below a folder, in order; what vanishes or cannot be listed is passed over."""
    try:
        with os.scandir(root + b"/" + prefix) as entries:
            kept = sorted((entry for entry in entries if not excluded(prefix + entry.name)), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in kept:
        if entry.is_file(follow_symlinks=follow):
            yield prefix + entry.name
        elif entry.is_dir(follow_symlinks=follow):
            yield from walk(root, prefix + entry.name + b"/", excluded, follow=follow)


def state(facts: os.stat_result) -> bytes:
    """Return what tells one state of a file from another."""
    return b"%d %d %d %d %d" % (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_dev, facts.st_ino)


def known(path: bytes, *, follow: bool) -> bytes | None:
    """Return a file's state and SHA-256, or None when it did not hold still, is too young or cannot be read."""
    began = time.time()
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except OSError:
        return None
    try:
        before, digest = os.fstat(file), hashlib.sha256()
        while chunk := os.read(file, CHUNK_BYTES):
            digest.update(chunk)
        after = os.fstat(file)
    except OSError:
        return None
    finally:
        os.close(file)
    settled = before.st_ctime_ns < (began - SETTLED_S) * 1e9 and stat.S_ISREG(before.st_mode)
    if not settled or state(before) != state(after):
        return None
    return state(before) + b" " + digest.hexdigest().encode()


def write(root: bytes, excludes: list[str], out: str, *, follow: bool) -> dict[str, object]:
    """Write FILE and return its first line. The lines come first, as the first line counts them."""
    patterns = [re.compile(fnmatch.translate(glob.lstrip("/")).encode()).match for glob in excludes]
    counts = {"files": 0, "known": 0, "databases": 0, "changed": 0}
    with open(f"{out}.lines", "w+b") as lines, open(f"{out}.part", "wb") as part:  # noqa: PTH123 - bytes, as the paths here are
        os.unlink(f"{out}.lines")  # noqa: PTH108 - likewise
        for path in walk(root, b"", lambda path: any(match(path) for match in patterns), follow=follow):
            counts["files"] += 1
            database = bool(DATABASE.search(path))
            text = None if database or STRANGE.search(path) else known(root + b"/" + path, follow=follow)
            counts["databases" if database else "changed" if text is None else "known"] += 1
            if text is not None:
                lines.write(text + b"\t" + path + b"\n")
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:  # noqa: PTH123 - likewise
            head = {"boot": boot.read().strip(), "root": os.fsdecode(root), **counts}
        part.write(json.dumps(head).encode() + b"\n")
        lines.seek(0)
        while chunk := lines.read(CHUNK_BYTES):
            part.write(chunk)
    os.replace(f"{out}.part", out)  # noqa: PTH105 - likewise
    return head


def main() -> int:
    """Read the tree and print what is known of it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="ahead")
    parser.add_argument("root")
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--out", required=True)
    asked = parser.parse_args()
    os.umask(0o077)
    time.sleep(SETTLED_S + MARGIN_S)  # what has just arrived is old enough then
    try:
        head = write(os.path.realpath(os.fsencode(asked.root)), asked.exclude, asked.out, follow=asked.follow)
    except OSError as error:
        print(f"ahead: {error}", file=sys.stderr)  # noqa: T201 - the answer
        return 1
    print(json.dumps(head))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
