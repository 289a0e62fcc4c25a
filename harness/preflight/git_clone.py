"""The source's core on the dest as a checkout of the same commit, from the repository that the plan names.

Nothing here trusts git's index: it remembers sizes and times of files, and a file that is changed within them passes for unchanged.
Each look reads every file that the commit has. All is done as the core's user: git runs what a tree's own config tells it to.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, Role
from harness.sending import claim, claimed

if TYPE_CHECKING:
    from harness.deed import Act, CommandResult, Reading
    from harness.plan import Plan

LONGEST_S = 600.0
LONGEST_BUILD_S = 4 * 3600.0
NO_CHECKOUT = 128  # git's code for what is none
# No part of the core: its own override, which comes with the config, and what an interpreter writes beside it.
NOT_OF_THE_CORE = (":!config/override-config.yml", ":!*__pycache__*")
# Of the core's user, whatever account we come with: its home holds its git config and its keys. A tree that belongs to another
# (root, mostly) is read all the same: the core itself runs what lies there.
HOME = (
    'HOME=$(getent passwd "$(id -u)" | cut -d: -f6); export HOME GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="ssh -oBatchMode=yes" '
    'GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="*"; '
)
# Prints the commit, how many files it has, and what differs from it (as git status does).
STATE = f"""\
{HOME}cd "$0" || exit
index=$(mktemp) && trap 'rm -f "$index"' EXIT && rm "$index"
git rev-parse --verify --quiet HEAD || exit
git ls-tree -r --name-only HEAD | wc -l
GIT_INDEX_FILE=$index git read-tree HEAD && GIT_INDEX_FILE=$index git status --porcelain --untracked-files=normal -- . "$@"
"""
# Asks in a folder of its own that is gone afterwards. A server may refuse a commit that no branch ends with: then all are asked.
PUBLISHED = f"""\
{HOME}url=$0 commit=$1
git ls-remote --quiet -- "$url" >/dev/null || exit 2
mine=$(mktemp -d) && trap 'rm -rf "$mine"' EXIT && git init --quiet --bare "$mine" && cd "$mine" || exit 2
git fetch --quiet --depth=1 -- "$url" "$commit" 2>/dev/null && echo there && exit
git fetch --quiet --filter=tree:0 -- "$url" "+refs/heads/*:refs/heads/*" "+refs/tags/*:refs/tags/*" || exit 2
git cat-file -e "$commit^{{commit}}" 2>/dev/null && echo there || echo "not there"
"""
FOLDER = 'install -d -o "$1" -g "$(id -g "$1")" -m 755 -- "$0"'
CLONE = f"""\
set -e
{HOME}url=$1 commit=$2
cd "$0"
git init --quiet .
git remote add origin "$url" 2>/dev/null || git remote set-url origin "$url"
git fetch --quiet --tags origin "+refs/heads/*:refs/remotes/origin/*"
git cat-file -e "$commit^{{commit}}" 2>/dev/null || git fetch --quiet origin "$commit"
git checkout --quiet --force --detach "$commit"
"""
BUILD = f'{HOME}cd "$0" && exec "$@"'


def _state(plan: Plan, role: Role) -> Command:
    argv = ("sh", "-c", STATE, plan.core.app_path, *NOT_OF_THE_CORE)
    exits = tuple(range(256)) if role is Role.DEST else (0, 1, 2, NO_CHECKOUT)
    return Command(role, argv, as_user=plan.core.user, timeout_s=LONGEST_S, exits=exits)


def _commit(state: CommandResult) -> str:
    return state.lines[0] if state.exit == 0 and state.lines else "no checkout of a commit"


def can_be_cloned(plan: Plan) -> Reading[list[Check]]:
    """Look whether the source's tree is a commit, unchanged, that the repository has: nothing else could be brought to the dest."""
    state = yield Ask(_state(plan, Role.SOURCE))
    commit = _commit(state)
    if state.exit:
        remedy = f"install by copy-tree: {plan.core.app_path} is no git checkout"
        return [equal("commit of the source's core", Witness.FILES, "a commit", commit, remedy=remedy)]
    asked = Command(Role.DEST, ("sh", "-c", PUBLISHED, _url(plan), commit), as_user=plan.core.user, timeout_s=LONGEST_S)
    published = yield Ask(asked)
    return [
        _unchanged(Role.SOURCE, state, "commit and push it on the source, or install by copy-tree"),
        equal(
            f"commit {commit[:12]} in {_url(plan)}",
            Witness.FILES,
            "there",
            published.text,
            why="the dest would get another core than the source's",
            remedy="push it, or install by copy-tree",
        ),
    ]


def _url(plan: Plan) -> str:
    return plan.dest.git.url if plan.dest.git else ""


def _unchanged(role: Role, state: CommandResult, remedy: str) -> Check:
    count, changed = int(state.lines[1]), state.lines[2:]
    why = "what is changed in the tree is in no commit"
    return equal(f"what the {role}'s tree has else than its commit", Witness.FILES, [], changed, count, why=why, remedy=remedy)


def clone(plan: Plan) -> Act:
    """Fetch the source's commit on the dest, check it out, and build it; what is there of an earlier try is gone on with."""
    asked = replace(_state(plan, Role.SOURCE), says="look which commit the source's core is")
    commit = (yield asked).lines[0]
    app, user = plan.core.app_path, plan.core.user
    yield from claim(plan, Role.DEST, f"path {app}")
    yield Command(Role.DEST, ("sh", "-c", FOLDER, app, user), says=f"make {app} on the dest")
    argv: tuple[str, ...] = ("sh", "-c", CLONE, app, _url(plan), commit)
    says = f"check out {commit[:12]} of {_url(plan)} in {app} on the dest"
    yield Command(Role.DEST, argv, as_user=user, timeout_s=LONGEST_BUILD_S, lasting="install", says=says)
    for number, words in enumerate(_build(plan), 1):
        argv = ("sh", "-c", BUILD, app, *words)
        says = f"build the core on the dest: {shlex.join(words)}"
        yield Command(Role.DEST, argv, as_user=user, timeout_s=LONGEST_BUILD_S, lasting=f"build-{number}", says=says)
        yield from claim(plan, Role.DEST, _built(commit, words))


def _build(plan: Plan) -> tuple[tuple[str, ...], ...]:
    return plan.dest.git.build if plan.dest.git else ()


def _built(commit: str, words: tuple[str, ...]) -> str:
    return f"built {commit}: {shlex.join(words)}"


def same_commit(plan: Plan) -> Reading[list[Check]]:
    """Look whether the dest has the source's commit, every file of it unchanged, and has built it as the plan says."""
    source, dest = yield tuple(Ask(_state(plan, role)) for role in Role)
    name = "commit of the core"
    if dest.exit:
        return [equal(name, Witness.FILES, _commit(source), "no core on the dest", 0, absent=True)]
    same = equal(name, Witness.FILES, _commit(source), _commit(dest), absent=_commit(source) != _commit(dest))
    checks = [same, _unchanged(Role.DEST, dest, "run again: the commit is checked out anew")]
    if _build(plan):
        mine = yield from claimed(plan, Role.DEST)
        wanted = [_built(_commit(dest), words) for words in _build(plan)]
        done = [one for one in wanted if one in mine]
        checks.append(equal("build commands that this run ran on the dest", Witness.RECORD, wanted, done, absent=done != wanted))
    return checks
