"""How files get from the source to the dest: rsync over ssh, with a key that may do nothing else; and what this run has made.

The key is made on the source in the run folder, the dest's host key is pinned beside it, and the dest runs one program for it,
whatever it asks: that program lets rsync write into the folders of this move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, PinnedKeys, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.deed import Act, Reading
    from harness.plan import Plan

LONGEST_COPY_S = 24 * 3600.0
RECEIVE = """\
#!/bin/sh
# Runs for the migration key of {change}: rsync may write into the folders of this move. Nothing else is done.
set -f
refuse() {{ echo "refused: this key may only send files of the move {change}" >&2; exit 77; }}
# The words are split here and never evaluated.
set -- $SSH_ORIGINAL_COMMAND
[ "$1" = rsync ] && [ "$2" = --server ] || refuse
for word; do
    case $word in
        --sender|--daemon|--config*|--log-file*|--temp-dir*|--partial-dir*|--backup-dir*|--write-devices|*..*) refuse ;;
    esac
done
case $word in
    {folders}) exec "$@" ;;
    *) refuse ;;
esac
"""
MAKE_KEY = '[ -f "$0" ] || ssh-keygen -q -t ed25519 -N "" -C "$1" -f "$0"; cat "$0.pub"'
WRITE = 'umask 077; cat > "$0.part" && chmod "$1" "$0.part" && mv "$0.part" "$0"'
AUTHORISE = (
    'umask 077; mkdir -p ~/.ssh; touch ~/.ssh/authorized_keys; read -r line; grep -qxF "$line" ~/.ssh/authorized_keys || '
    'printf "%s\\n" "$line" >> ~/.ssh/authorized_keys'
)
CLAIM = 'umask 077; touch "$0"; grep -qxF "$1" "$0" || { printf "%s\\n" "$1" >> "$0"; sync "$0"; }'


def claim(plan: Plan, role: Role, thing: str) -> Act:
    """Write, before a thing is made on a host, that it is this run's."""
    says = f"write on the {role} that this run makes: {thing}"
    yield Command(role, ("sh", "-c", CLAIM, f"{plan.run_folder}/made", thing), says=says)


def claimed(plan: Plan, role: Role) -> Reading[set[str]]:
    """Return what this run has made on a host."""
    answer = yield Ask(Command(role, ("sh", "-c", 'cat "$0" 2>/dev/null || true', f"{plan.run_folder}/made")))
    return set(answer.lines)


def folders(plan: Plan, data: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that the key may write into."""
    paths = (*plan.core.config_paths, plan.core.app_path, f"{plan.run_folder}/dumps", *data)
    return tuple(path.rstrip("/") for path in paths)


def receiver(plan: Plan, data: Iterable[str]) -> str:
    """Return the program that the dest runs for the key."""
    patterns = "|".join(f"{folder}/*" for folder in folders(plan, data))
    return RECEIVE.format(change=plan.change.id, folders=patterns)


def key_line(plan: Plan, public: str) -> str:
    """Return the line of authorized_keys: everything restricted, from the source's address, for one program."""
    kind, key = public.split()[:2]
    limits = f'restrict,from="{plan.source.address}",command="{plan.run_folder}/receive"'
    return f"{limits} {kind} {key} pryv-migration-{plan.change.id}"


def _write(role: Role, path: str, text: str, mode: str) -> Command:
    return Command(role, ("sh", "-c", WRITE, path, mode), input=text.encode(), says=f"write {path} on the {role}")


def authorise(plan: Plan, data: Iterable[str], pinned: Iterable[str]) -> Act:
    """Make the key on the source and authorise it on the dest for this move only."""
    folder = plan.run_folder
    argv = ("sh", "-c", MAKE_KEY, f"{folder}/key", f"pryv-migration-{plan.change.id}")
    made = yield Command(Role.SOURCE, argv, says="make a key on the source (ssh-keygen, ed25519)")
    known = "".join(f"[{plan.dest.address}]:{plan.dest.ssh.port} {key}\n" for key in pinned)
    yield _write(Role.SOURCE, f"{folder}/known_hosts", known, "600")
    yield _write(Role.DEST, f"{folder}/receive", receiver(plan, data), "700")
    line = f"{key_line(plan, made.text)}\n".encode()
    yield Command(Role.DEST, ("sh", "-c", AUTHORISE), input=line, says="let that key in on the dest, for files of this move only")


def authorised(plan: Plan, data: Iterable[str]) -> Reading[list[Check]]:
    """Look whether the key is there, closed to others, and authorised on the dest with its limits, in one line and no other."""
    key, name = f"{plan.run_folder}/key", "the source's migration key on the dest"
    there = yield Ask(Command(Role.SOURCE, ("stat", "-c", "%a", key), exits=(0, 1)))
    if there.exit:
        return [equal(name, Witness.FILES, "authorised", "no key yet", 0, absent=True)]
    public = (yield Ask(Command(Role.SOURCE, ("cat", f"{key}.pub")))).text
    lines = yield Ask(Command(Role.DEST, ("sh", "-c", "cat ~/.ssh/authorized_keys")))
    program = yield Ask(Command(Role.DEST, ("sh", "-c", 'cat "$0" 2>/dev/null || true', f"{plan.run_folder}/receive")))
    with_key = [text for text in lines.lines if public.split()[1] in text]
    return [
        equal("rights of the key", Witness.FILES, "600", there.text),
        equal(name, Witness.FILES, [key_line(plan, public)], with_key, len(lines.lines), absent=not with_key),
        equal(
            "what the dest runs for it", Witness.FILES, receiver(plan, data).splitlines(), program.lines, absent=not program.lines
        ),
    ]


def shell_to_dest(plan: Plan) -> str:
    """Return the rsync shell that uses the run's own key and the dest's pinned host key."""
    folder = plan.run_folder
    settings = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={folder}/known_hosts", "IdentitiesOnly=yes")
    flags = " ".join(f"-o {setting}" for setting in settings)
    return f"ssh -p {plan.dest.ssh.port} -i {folder}/key {flags}"


def send(plan: Plan, path: str, *, options: tuple[str, ...] = (), links: str = "--copy-links", lasting: str = "") -> Command:
    """Return the rsync, run on the source, that sends a path to the same place on the dest.

    The guide's --archive --copy-links, without --compress (pictures do not shrink), and with --modify-window=-1: rsync's quick
    check sees whole seconds, and a SQLite WAL changes within one without changing its size. With --links as `links` they stay.
    """
    flags = ("--archive", links, "--modify-window=-1", "--mkpath", "--stats", *options)
    address = f"[{plan.dest.address}]" if plan.dest.address.version == 6 else str(plan.dest.address)  # noqa: PLR2004 - IPv6
    target = f"{plan.dest.ssh.user}@{address}:{path}"
    argv = ("rsync", *flags, "-e", shell_to_dest(plan), path, target)
    says = f"rsync {path} from the source to the dest"
    return Command(Role.SOURCE, argv, timeout_s=LONGEST_COPY_S, lasting=lasting, says=says)


def pinned_keys(role: Role) -> Reading[tuple[str, ...]]:
    """Return the host keys that the plan pins for a role, as "type base64"."""
    keys: tuple[str, ...] = yield PinnedKeys(role)
    return keys
