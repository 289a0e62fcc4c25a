"""A pytest plugin: rehearsals whose core is a checkout, and whose dest gets it otherwise than by a copy. INSTALL says how.

git-clone   the dest has a repository with the source's commit, and a command that builds the core
none        somebody has laid a checkout of the source's commit on the dest
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from fixtures.hosts import making, sample
from fixtures.hosts.accounts import PRYV
from fixtures.hosts.product import APP

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.hosts.keys import Keys
    from fixtures.hosts.making import Ground
    from fixtures.hosts.product import Product
    from fixtures.hosts.records import Record

REPOSITORY = "/srv/core.git"
BUILD = ["sh", "-c", "mkdir -p built && date > built/when"]
IGNORED = "__pycache__/\nbuilt/\nconfig/override-config.yml\n"
REAL_PLAN, REAL_RAISE = sample.plan, making.raise_hosts


def git(folder: Path, *words: str) -> str:
    """Run git in a folder as somebody with a name."""
    who = ("-c", "user.name=operator", "-c", "user.email=operator@example.com", "-c", "safe.directory=*")
    return subprocess.run(("git", *who, "-C", folder, *words), check=True, capture_output=True, text=True).stdout.strip()


def commit(app: Path) -> None:
    """Make a checkout of a core's tree."""
    (app / ".gitignore").write_text(IGNORED)
    git(app, "init", "--quiet")
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "--message", "The core")


def raise_hosts(at: Ground) -> Record:
    """Make the hosts, the source's core a checkout, and what the dest is to have of it."""
    made = REAL_RAISE(at)
    source, dest = at.host("source").disk, at.host("dest").disk
    app = source.at(APP)
    commit(app)
    there = REPOSITORY if os.environ["INSTALL"] == "git-clone" else APP
    dest.at(there).parent.mkdir(parents=True, exist_ok=True)
    git(app, "clone", "--quiet", *(("--bare",) if there == REPOSITORY else ()), str(app), str(dest.at(there)))
    shutil.rmtree(app / ".git" / "logs")
    source.give_tree(APP, PRYV)
    dest.give_tree(there, PRYV)
    return made


def plan(record: Record, keys: Keys, backup: Path, product: Product, on: sample.Terms | None = None) -> dict[str, Any]:
    """Return the plan with its way of installing."""
    made = REAL_PLAN(record, keys, backup, product, on)
    made["dest"]["install"] = os.environ["INSTALL"]
    if os.environ["INSTALL"] == "git-clone":
        made["dest"]["git"] = {"url": f"file://{REPOSITORY}", "build": [BUILD]}
    return made


def pytest_configure() -> None:
    """Make hosts with a checkout from now on."""
    making.raise_hosts = raise_hosts
    sample.plan = plan
