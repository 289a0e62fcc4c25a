r"""The manifest of a file tree: what lies at every path, in lines that are the same on every host when the trees are.

Usage: manifest.py ROOT [--follow] [--may-be-absent] [--known KNOWN] [--exclude GLOB]... --out FILE

A line is `type TAB mode TAB owner:group TAB size TAB sha256 TAB path`:
  type     find's letter: f file, d folder, l symbolic link, p pipe, s socket, c and b devices
  mode     four octal digits; owner: names, or numbers where the host knows no name
  size     bytes of a file, length of a link's target, 0 for the rest; sha256: of a file's content or a link's target, else `-`
  path     relative to ROOT, which itself is `.`; a link's is followed by ` -> ` and its target; \ TAB and newline are written
           \\ \t \n; other bytes stand as they are
The order is depth first, the names in a folder by their bytes, so it does not depend on host or locale. Times are not written.
A GLOB is matched against the whole relative path, `*` across slashes too; a leading slash is ignored. What matches is left out.

With --follow a link is what it leads to, wherever that lies, as `rsync --copy-links` sends it: a file, or a folder with all in it.
A link that leads nowhere, in a ring or back to a folder that it lies in cannot be sent so: an error that names it. With
--may-be-absent a ROOT that is not there has no lines.

KNOWN is what ahead.py has written: a file whose size, times, device and inode are as they were then is not read again. Where there
is no such file, or it is of another boot or tree, every file is read.
FILE is written as FILE.part and renamed (mode 0600). Printed is one JSON line: {"digest": sha256 of FILE, "paths": lines,
"files": regular files, "bytes": their bytes, "seconds": wall time}. A path that changes, vanishes or cannot be read meanwhile
is an error that names it, exit 1, and no FILE. The tree is read in child processes, batch by batch: memory does not grow with it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fnmatch
import functools
import grp
import hashlib
import json
import marshal
import os
import pwd
import queue
import re
import stat
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH_PATHS, BATCHES_AHEAD_EACH = 256, 4
CHUNK_BYTES, MOST_READERS = 1 << 20, 8
BOOT_ID = "/proc/sys/kernel/random/boot_id"
KINDS = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK)
LETTERS = dict(zip(KINDS, (b"f", b"d", b"l", b"p", b"s", b"c", b"b")))  # noqa: B905 - Python 3.9 knows no strict
Found = tuple[bool, bytes, bytes]  # is a regular file, relative path, what is known of it: "size mtime ctime device inode sha256"
Block = tuple[bytes, int, int]
Reader = tuple[BinaryIO, BinaryIO]


class Changed(Exception):
    """What was read is not one state of the tree; the text names the path."""


def walk(root: bytes, excluded: Callable[[bytes], object], *, follow: bool) -> Iterator[tuple[bool, bytes]]:
    """Yield (is a regular file, relative path) in the manifest's order; raises OSError for what cannot be listed or followed."""
    yield False, b"."
    waiting = _listed(root, b"", excluded, follow=follow)
    while waiting:
        is_file, is_folder, path = waiting.pop()
        yield is_file, path
        if is_folder:
            waiting += _listed(root, path + b"/", excluded, follow=follow)


def _listed(root: bytes, prefix: bytes, excluded: Callable[[bytes], object], *, follow: bool) -> list[tuple[bool, bool, bytes]]:
    """Return the entries of a folder that are not left out, last name first: the walk takes them from the end."""
    with os.scandir(root + b"/" + prefix) as entries:
        kept = [entry for entry in entries if not excluded(prefix + entry.name)]
    for entry in kept if follow else ():
        if entry.is_symlink():
            _demand_leads_on(root, prefix + entry.name)
    found = sorted([(e.name, e.is_file(follow_symlinks=follow), e.is_dir(follow_symlinks=follow)) for e in kept], reverse=True)
    return [(is_file, is_folder, prefix + name) for name, is_file, is_folder in found]


def _demand_leads_on(root: bytes, path: bytes) -> None:
    """Raise OSError for a link that leads nowhere, in a ring or to a folder that it lies in, reached through other links or not."""
    whole = root + b"/" + path
    try:
        target = os.stat(whole)  # noqa: PTH116 - paths here are bytes, which may be no text
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "a link that leads nowhere", whole) from error
    except OSError as error:
        cause = "a link that leads in a ring" if error.errno == errno.ELOOP else error.strerror
        raise OSError(error.errno, cause, whole) from error
    parts = whole.split(b"/")
    above = (b"/".join(parts[:count]) for count in range(root.count(b"/") + 1, len(parts)))
    if any(os.path.samestat(target, os.stat(folder)) for folder in above):  # noqa: PTH116 - likewise
        raise OSError(errno.ELOOP, "a link that leads back to a folder that it lies in", whole)


def known_to(file: str, root: bytes) -> Iterator[tuple[list[bytes], bytes]]:
    """Yield what is known of a tree's files, in the walk's order: (parts of the path, facts)."""
    with contextlib.suppress(FileNotFoundError), open(file, "rb") as lines, open(BOOT_ID, "rb") as boot:  # noqa: PTH123 - as below
        head = json.loads(lines.readline())
        if (head["boot"], head["root"]) == (boot.read().decode().strip(), os.fsdecode(root)):
            for text in lines:
                facts, _, path = text.rstrip(b"\n").partition(b"\t")
                yield path.split(b"/"), facts


def joined(found: Iterator[tuple[bool, bytes]], known: Iterator[tuple[list[bytes], bytes]]) -> Iterator[Found]:
    """Yield what was found, each with what is known of it."""
    at = next(known, None)
    for is_file, path in found:
        while at and at[0] < path.split(b"/"):
            at = next(known, None)
        yield is_file, path, at[1] if at and at[0] == path.split(b"/") else b""


def content(path: bytes, known: bytes, *, follow: bool) -> tuple[os.stat_result, str]:
    """Return a file's facts and SHA-256, read unless it is as known; raises Changed when it did not hold still."""
    if known:
        now, (state, _, digest) = os.stat(path, follow_symlinks=follow), known.rpartition(b" ")  # noqa: PTH116 - paths are bytes
        if state == b"%d %d %d %d %d" % (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_dev, now.st_ino):
            return now, digest.decode()
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        before = os.fstat(file)
        read = _hashed(file, before.st_size) if stat.S_ISREG(before.st_mode) else None
        after = os.fstat(file)
    finally:
        os.close(file)
    same = (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (after.st_size, after.st_mtime_ns, after.st_ctime_ns)
    if read is None or not same:
        raise Changed("changed while it was read")
    return before, read


def _hashed(file: int, size: int) -> str | None:
    """Return the SHA-256 of exactly `size` bytes, or None when the file is shorter or longer."""
    if size < CHUNK_BYTES:
        whole = os.read(file, size + 1)
        return hashlib.sha256(whole).hexdigest() if len(whole) == size else None
    digest, count = hashlib.sha256(), 0
    while chunk := os.read(file, CHUNK_BYTES):
        digest.update(chunk)
        count += len(chunk)
    return digest.hexdigest() if count == size else None


@functools.cache
def owner(uid: int | str, gid: int | str) -> bytes:
    """Return `owner:group` by name, or by number where the host knows no name."""
    with contextlib.suppress(KeyError):
        uid = pwd.getpwuid(int(uid)).pw_name
    with contextlib.suppress(KeyError):
        gid = grp.getgrgid(int(gid)).gr_name
    return f"{uid}:{gid}".encode()


def escaped(path: bytes) -> bytes:
    """Return the path as it is written in a line."""
    return path.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n")


def line(root: bytes, found: Found, *, follow: bool) -> tuple[bytes, int]:
    """Return the line of a path and the bytes of its content."""
    is_file, path, known = found
    whole, shown, size, digest = root + b"/" + path, escaped(path), 0, "-"
    if is_file:
        facts, digest = content(whole, known, follow=follow)
        size = facts.st_size
    else:
        facts = os.stat(whole, follow_symlinks=follow)  # noqa: PTH116 - paths here are bytes, which may be no text
        if stat.S_ISREG(facts.st_mode):
            raise Changed("became a file while the tree was read")
        if stat.S_ISLNK(facts.st_mode):
            target = os.readlink(whole)  # noqa: PTH115 - likewise
            size, digest = len(target), hashlib.sha256(target).hexdigest()
            shown += b" -> " + escaped(target)
    letter, mode, who = LETTERS[stat.S_IFMT(facts.st_mode)], stat.S_IMODE(facts.st_mode), owner(facts.st_uid, facts.st_gid)
    text = b"%c\t%04o\t%s\t%d\t%s\t%s\n" % (letter, mode, who, size, digest.encode(), shown)
    return text, size if is_file else 0


def block(root: bytes, batch: list[Found], *, follow: bool) -> Block:
    """Return the lines of a batch, how many regular files are in it and their bytes; raises Changed naming the path."""
    lines, files, total = [], 0, 0
    for one in batch:
        try:
            text, size = line(root, one, follow=follow)
        except (OSError, Changed) as error:
            raise Changed(named(root + b"/" + one[1], error)) from error
        lines.append(text)
        files += one[0]
        total += size
    return b"".join(lines), files, total


def named(path: bytes, error: Exception) -> str:
    """Return the path, in quotes and escaped as JSON, so that whoever shows it sees where it ends, and what is wrong with it."""
    return f"{json.dumps(os.fsdecode(path))}: {error.strerror if isinstance(error, OSError) else error}"


def serve(root: bytes, requests: BinaryIO, answers: BinaryIO, *, follow: bool) -> NoReturn:
    """Answer batches, as a child process, until there are no more."""
    while True:
        try:
            answer: Block | str = block(root, marshal.load(requests), follow=follow)  # noqa: S302 - from our parent
        except Changed as error:
            answer = os.fsencode(str(error)).decode("latin-1")  # marshal refuses lone surrogates
        except EOFError:
            os._exit(0)
        marshal.dump(answer, answers)
        answers.flush()


def reader(root: bytes, *, follow: bool) -> Reader:
    """Start a child process that reads files; returns where it is asked and where it answers."""
    (asked, ask), (answer, answering) = os.pipe(), os.pipe()
    if not os.fork():
        try:
            os.close(ask)
            os.close(answer)
            serve(root, os.fdopen(asked, "rb"), os.fdopen(answering, "wb"), follow=follow)
        finally:
            os._exit(1)  # whatever happened, a child never goes on as its parent
    os.close(asked)
    os.close(answering)
    return os.fdopen(ask, "wb"), os.fdopen(answer, "rb")


def blocks(root: bytes, batches: Iterator[list[Found]], *, follow: bool) -> Iterator[Block]:
    """Yield the blocks in order, several read at the same time; raises Changed. A child ends when its request pipe closes."""
    count = max(2, min(MOST_READERS, len(os.sched_getaffinity(0))))
    idle: queue.SimpleQueue[Reader] = queue.SimpleQueue()
    for _ in range(count):  # all forked before the first thread begins
        idle.put(reader(root, follow=follow))

    def ask(batch: list[Found]) -> Block:
        requests, answers = one = idle.get()
        try:
            marshal.dump(batch, requests)
            requests.flush()
            answer: Block | str = marshal.load(answers)  # noqa: S302 - from our own child
        except EOFError as error:
            raise Changed("a child process that reads files was killed") from error
        finally:
            idle.put(one)  # a dead one fails again at once: nothing waits for it
        if isinstance(answer, str):
            raise Changed(os.fsdecode(answer.encode("latin-1")))
        return answer

    with ThreadPoolExecutor(count) as pool:
        ahead = deque(pool.submit(ask, batch) for batch in islice(batches, count * BATCHES_AHEAD_EACH))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(ask, batch) for batch in islice(batches, 1))


def write(root: bytes, excludes: list[str], known: str, out: BinaryIO, *, follow: bool, absent: bool = False) -> dict[str, object]:
    """Write the lines; returns the answer without its seconds."""
    patterns = [re.compile(fnmatch.translate(glob.lstrip("/")).encode()).match for glob in excludes]
    there = () if absent else walk(root, lambda path: any(match(path) for match in patterns), follow=follow)
    found = joined(iter(there), known_to(known, root))
    digest, paths, files, total = hashlib.sha256(), 0, 0, 0
    for text, some, size in blocks(root, iter(lambda: list(islice(found, BATCH_PATHS)), []), follow=follow):
        out.write(text)
        digest.update(text)
        paths, files, total = paths + text.count(b"\n"), files + some, total + size
    return {"digest": digest.hexdigest(), "paths": paths, "files": files, "bytes": total}


def main() -> int:
    """Write the manifest and print what it is; returns the exit code."""
    parser = argparse.ArgumentParser(prog="manifest")
    parser.add_argument("root")
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--may-be-absent", action="store_true")
    parser.add_argument("--known", default="")
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--out", required=True)
    asked = parser.parse_args()
    began, part = time.monotonic(), f"{asked.out}.part"
    os.umask(0o077)
    try:
        with open(part, "wb") as out:  # noqa: PTH123 - one small program without pathlib starts faster
            absent = asked.may_be_absent and not os.path.lexists(asked.root)
            root = os.path.realpath(os.fsencode(asked.root))
            answer = write(root, asked.exclude, asked.known, out, follow=asked.follow, absent=absent)
        os.replace(part, asked.out)  # noqa: PTH105 - as above
    except (OSError, Changed) as error:
        path = getattr(error, "filename", None)
        print(f"manifest: {named(os.fsencode(path), error) if path else error}", file=sys.stderr)  # noqa: T201 - the answer
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)  # noqa: PTH108 - as above
        return 1
    print(json.dumps({**answer, "seconds": round(time.monotonic() - began, 3)}))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
