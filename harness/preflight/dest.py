"""Whether the dest can take what arrives: room, the database's locale, what its file systems can do, its certificate."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.core_api import call
from harness.databases.psql import admin_sql
from harness.deed import Ask, Command, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.configuration import Config
    from harness.deed import Reading
    from harness.plan import Plan

ROOM = 2.5
LONGEST_S = 3600.0
DAY_S = 86400.0
LEAST_DAYS = 7.0
PREVIEWS = "storages.engines.filesystem.previewsDirPath"
EVERYWHERE = frozenset({"c", "posix"})  # PostgreSQL has these itself
SIZE = "SELECT pg_database_size(datname) / 1024 FROM pg_database WHERE datname = :'db'"
LOCALES = "SELECT datcollate || '|' || datctype FROM pg_database WHERE datname = :'db' AND datlocprovider = 'c'"
# The last line is the sum of those that are there.
SUMMED = 'for path; do shift; [ ! -e "$path" ] || set -- "$@" "$path"; done; exec du $0 -- "$@"'
# Free kilobytes or inodes where a folder is or will be.
FREE = 'p=$1; while [ ! -d "$p" ]; do p=$(dirname "$p"); done; df "$0" "$p" | tail -n 1'
# Asking for an attribute that is not there tells whether there may be any (error 95: not supported).
XATTR = """\
import errno, os, sys
path = sys.argv[1]
while not os.path.isdir(path):
    path = os.path.dirname(path)
try:
    os.getxattr(path, "user.pryv.none")
    print("supported")
except OSError as error:
    print("supported" if error.errno == errno.ENODATA else os.strerror(error.errno))
"""


def _free(role: Role, path: str, kind: str) -> Ask:
    return Ask(Command(role, ("sh", "-c", FREE, kind, path)))


def room(plan: Plan, roots: Iterable[str], database: str) -> Reading[list[Check]]:
    """Look for room: on the dest 2.5 times of what arrives, in kB and in inodes; on the source for the dump."""
    folders = [f"{root}/" for root in roots]
    tables = int((yield Ask(admin_sql(plan, Role.SOURCE, SIZE, db=database))).text)
    files = yield Ask(Command(Role.SOURCE, ("sh", "-c", SUMMED, "-skcL", *folders), timeout_s=LONGEST_S))
    paths = yield Ask(Command(Role.SOURCE, ("sh", "-c", SUMMED, "-scL --inodes", *folders), timeout_s=LONGEST_S))
    arrives, count = tables + int(files.lines[-1].split()[0]), int(paths.lines[-1].split()[0])
    places = [plan.run_folder, *folders]
    free = [int(answer.text.split()[3]) for answer in (yield tuple(_free(Role.DEST, place, "-Pk") for place in places))]
    inodes = [answer.text.split()[3] for answer in (yield tuple(_free(Role.DEST, place, "-Pi") for place in folders))]
    dump = int((yield _free(Role.SOURCE, plan.run_folder, "-Pk")).text.split()[3])
    counted = [int(one) for one in inodes if one not in {"0", "-"}]
    return [
        _enough("room on the dest, kB", free, ROOM * arrives, "make room on the dest"),
        _inodes(counted, len(inodes), ROOM * count),
        _enough("room for the dump on the source, kB", [dump], float(tables), "make room on the source, below /var/lib"),
    ]


def _inodes(free: list[int], looked: int, wanted: float) -> Check:
    """Return the check of free inodes; a file system that makes them as they are needed (btrfs) has no count of them."""
    name = "inodes on the dest"
    if not free:
        return Check(name, Witness.FILES, f"at least {wanted:.0f}", "made as they are needed", held=True, examined=looked)
    return _enough(name, free, wanted, "make room for more files on the dest")


def _enough(name: str, free: list[int], wanted: float, remedy: str) -> Check:
    held = min(free) >= wanted
    return Check(name, Witness.FILES, f"at least {wanted:.0f}", min(free), held, len(free), remedy=remedy)


def _plain(name: str) -> str:
    """Return a locale's name as the C library compares it: the codeset in small letters, without dashes."""
    base, dot, codeset = name.partition(".")
    return base + dot + codeset.lower().replace("-", "")


def locale_is_there(plan: Plan, database: str) -> Reading[Check]:
    """Look whether the dest's C library has the locales of the source's database (one that ICU or the server brings needs none)."""
    told = (yield Ask(admin_sql(plan, Role.SOURCE, LOCALES, db=database))).text
    has = {_plain(line) for line in (yield Ask(Command(Role.DEST, ("locale", "-a")))).lines}
    wanted = sorted({name for name in told.split("|") if name})
    missing = [name for name in wanted if name.lower() not in EVERYWHERE and _plain(name) not in has]
    why = "the dest's server cannot make the database with another sorting than its library knows"
    remedy = f"make the locale {', '.join(missing)} there (Debian: locales, locale-gen), and start its PostgreSQL anew"
    return equal("locales of the database that the dest lacks", Witness.FILES, [], missing, len(has), why=why, remedy=remedy)


def attributes_are_kept(config: Config) -> Reading[Check]:
    """Look whether the dest's file system for previews keeps extended attributes, where the source's does."""
    path = config.path(PREVIEWS)
    source, dest = yield tuple(Ask(Command(role, ("python3", "-I", "-c", XATTR, path))) for role in Role)
    held = dest.text == "supported" or source.text != "supported"
    why = "the core writes the age of previews there, and answers no preview where it cannot"
    remedy = "put the folder of previews on a file system with user attributes (ext4, xfs)"
    observed = [source.text, dest.text]
    name = "extended attributes on the source and the dest"
    return Check(name, Witness.FILES, "on the dest as on the source", observed, held, 2, 2, why=why, remedy=remedy)


def certificate(plan: Plan) -> Reading[Check]:
    """Look whether the dest answers TLS with a valid chain for the public name, good for a week; no core is there yet."""
    answer = yield Ask(call("GET", "/reg/service/info", via=Role.DEST))
    days = (ssl.cert_time_to_seconds(answer.certificate_until) - time.time()) / DAY_S
    observed = f"verified, {days:.0f} days left"
    name = f"certificate for {plan.core.public_name} on the dest"
    expected, remedy = f"verified, {LEAST_DAYS:.0f} days left or more", "renew it before the move: a renewal needs the public name"
    return Check(name, Witness.API, expected, observed, days >= LEAST_DAYS, 1, remedy=remedy)
