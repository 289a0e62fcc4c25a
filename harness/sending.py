"""How files get from the source to the dest: rsync over ssh, with a key that may do nothing else; and what this run has made.

The key is made on the source in the run folder, the dest's host key is pinned beside it, and the dest runs one program for it,
whatever it asks: that program lets rsync write into the folders of this move. It is let in as the user as whom we come.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, PinnedKeys, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.deed import Act, Reading
    from harness.plan import Plan

LONGEST_COPY_S = 24 * 3600.0
# Without these a copy whose link is cut waits for a quarter of an hour, and what receives it on the dest for ever.
BOUNDED = {"ConnectTimeout": 10, "ServerAliveInterval": 5, "ServerAliveCountMax": 3}
LONGEST_SILENCE_S = 300
SSH_PORT = 22
RECEIVE = """\
#!/bin/sh
# Runs for the migration key of {change}: rsync may write into the folders of this move. Nothing else is done.
set -f
refuse() {{ echo "refused: this key may only send files of the move {change}" >&2; exit 77; }}
# The words are split here and never evaluated. By sudo they come as one argument, as it passes no variable on.
set -- ${{1-$SSH_ORIGINAL_COMMAND}}
[ "$1" = rsync ] && [ "$2" = --server ] || refuse
for word; do
    case $word in
        --sender|--daemon|--config*|--log-file*|--temp-dir*|--partial-dir*|--backup-dir*|--write-devices|*..*) refuse ;;
    esac
done
case $word in
    # What a copy has left whose link was cut: it would take the room of this one.
    {dumps}/*) find {dumps} -maxdepth 1 -name '.*' -type f -delete 2>/dev/null ;;
esac
case $word in
    {folders}) exec "$@" ;;
    *) refuse ;;
esac
"""
KINDS = {"ed25519": ("-t", "ed25519"), "rsa-4096": ("-t", "rsa", "-b", "4096")}
MAKE_KEY = '[ -f "$0" ] || { comment=$1; shift; ssh-keygen -q "$@" -N "" -C "$comment" -f "$0"; }; cat "$0.pub"'
WRITE = 'umask 077; cat > "$0.part" && chmod "$1" "$0.part" && mv "$0.part" "$0"'
# Of the user that sshd lets in: it is not told by HOME, which is root's where sudo or setpriv have changed the user.
KEYS_FILE = 'home=$(getent passwd "$(id -u)" | cut -d: -f6); file=${home:-~}/.ssh/authorized_keys; '
AUTHORISE = KEYS_FILE + (
    'umask 077; mkdir -p "${file%/*}"; touch "$file"; read -r line; grep -qxF "$line" "$file" || printf "%s\\n" "$line" >> "$file"'
)
READ_KEYS = KEYS_FILE + 'cat "$file" 2>/dev/null || true'
REFUSED = 77
TRY = '"$@"; code=$?; [ "$code" != 255 ] || code=1; exit "$code"'  # by 255 ssh says that it came to no host: ours did
LEAVES_BY = 'ip -o route get "$0" 2>/dev/null | head -n 1 || true'
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
    image = (f"{plan.run_folder}/image",) if plan.core.docker else ()
    paths = (*plan.core.folders, *image, f"{plan.run_folder}/dumps", *data)
    return tuple(path.rstrip("/") for path in paths)


def receiver(plan: Plan, data: Iterable[str]) -> str:
    """Return the program that the dest runs for the key."""
    patterns = "|".join(f"{folder}/*" for folder in folders(plan, data))
    return RECEIVE.format(change=plan.change.id, folders=patterns, dumps=f"{plan.run_folder}/dumps")


def keys_command(plan: Plan, script: str, *words: str, line: str = "", says: str = "") -> Command:
    """Return a command about the authorized_keys on the dest of the user as whom we come, and as whom the key does."""
    who = (plan.dest.ssh.user or "") if plan.dest.ssh.become == "sudo" else ""
    return Command(Role.DEST, ("sh", "-c", script, *words), as_user=who, input=line.encode(), says=says)


def key_line(plan: Plan, public: str) -> str:
    """Return the line of authorized_keys: everything restricted, from the source's address, for one program.

    Where we come as somebody who becomes root by sudo, so does that program: what arrives keeps its owners.
    """
    kind, key = public.split()[:2]
    program = f"{plan.run_folder}/receive"
    if plan.dest.ssh.become == "sudo":
        program = f'sudo -n -- {program} \\"$SSH_ORIGINAL_COMMAND\\"'
    seen_as = ",".join(str(address) for address in plan.sending.seen_as or (plan.source.address,))
    return f'restrict,from="{seen_as}",command="{program}" {kind} {key} pryv-migration-{plan.change.id}'


def _write(role: Role, path: str, text: str, mode: str) -> Command:
    return Command(role, ("sh", "-c", WRITE, path, mode), input=text.encode(), says=f"write {path} on the {role}")


def authorise(plan: Plan, data: Iterable[str], pinned: Iterable[str]) -> Act:
    """Make the key on the source and authorise it on the dest for this move only."""
    folder = plan.run_folder
    kind = plan.sending.key
    argv = ("sh", "-c", MAKE_KEY, f"{folder}/key", f"pryv-migration-{plan.change.id}", *KINDS[kind])
    made = yield Command(Role.SOURCE, argv, says=f"make a key on the source (ssh-keygen, {kind})")
    address, port = _dest(plan)
    name = str(address) if port == SSH_PORT else f"[{address}]:{port}"
    known = "".join(f"{name} {key}\n" for key in pinned)
    yield _write(Role.SOURCE, f"{folder}/known_hosts", known, "600")
    yield _write(Role.DEST, f"{folder}/receive", receiver(plan, data), "700")
    says = "let that key in on the dest, for files of this move only"
    yield keys_command(plan, AUTHORISE, line=f"{key_line(plan, made.text)}\n", says=says)


def authorised(plan: Plan, data: Iterable[str]) -> Reading[list[Check]]:
    """Look whether the key is there, closed to others, and authorised on the dest with its limits, in one line and no other."""
    key, name = f"{plan.run_folder}/key", "the source's migration key on the dest"
    there = yield Ask(Command(Role.SOURCE, ("stat", "-c", "%a", key), exits=(0, 1)))
    if there.exit:
        return [equal(name, Witness.FILES, "authorised", "no key yet", 0, absent=True)]
    public = (yield Ask(Command(Role.SOURCE, ("cat", f"{key}.pub")))).text
    lines = yield Ask(keys_command(plan, READ_KEYS))
    program = yield Ask(Command(Role.DEST, ("sh", "-c", 'cat "$0" 2>/dev/null || true', f"{plan.run_folder}/receive")))
    with_key = [text for text in lines.lines if public.split()[1] in text]
    written = [
        equal("rights of the key", Witness.FILES, "600", there.text),
        equal(name, Witness.FILES, [key_line(plan, public)], with_key, len(lines.lines), absent=not with_key),
        equal(
            "what the dest runs for it", Witness.FILES, receiver(plan, data).splitlines(), program.lines, absent=not program.lines
        ),
    ]
    return [*written, (yield from _is_let_in(plan))] if all(check.held for check in written) else written


def _is_let_in(plan: Plan) -> Reading[Check]:
    """Look what the dest answers when the source comes with the key and asks for something else than to send files."""
    target = f"{plan.dest.ssh.user}@{_dest(plan)[0]}"
    argv = ("sh", "-c", TRY, "try", *shlex.split(shell_to_dest(plan)), "--", target, "true")
    answer = yield Ask(Command(Role.SOURCE, argv, exits=tuple(range(256))))
    observed = "let in, and refused" if answer.exit == REFUSED else f"exit {answer.exit}: {answer.tail()}"
    why = "files could not be sent, and that would be known only while users wait"
    remedy = "say in the plan how the source reaches the dest's sshd and as which addresses the dest sees it (sending: …)"
    if answer.exit != REFUSED:
        way = yield Ask(Command(Role.SOURCE, ("sh", "-c", LEAVES_BY, _dest(plan)[0])))
        remedy += f"; the source's way there: {way.text or 'not told'}"
    name = "the key, when it asks for something else than to send files"
    return equal(name, Witness.SSH, "let in, and refused", observed, why=why, remedy=remedy)


def _dest(plan: Plan) -> tuple[str, int]:
    """Return address and port of the dest's sshd, as the source reaches it."""
    return str(plan.sending.address or plan.dest.address), plan.sending.port or plan.dest.ssh.port or SSH_PORT


def _bracketed(plan: Plan) -> str:
    address, _ = _dest(plan)
    return f"[{address}]" if ":" in address else address


def shell_to_dest(plan: Plan) -> str:
    """Return the rsync shell that uses the run's own key and the dest's pinned host key; it ends when the dest does not answer."""
    folder = plan.run_folder
    pinned = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={folder}/known_hosts", "IdentitiesOnly=yes")
    settings = (*pinned, *(f"{name}={value}" for name, value in BOUNDED.items()))
    flags = " ".join(f"-o {setting}" for setting in settings)
    return f"ssh -p {_dest(plan)[1]} -i {folder}/key {flags}"


def send(plan: Plan, path: str, *, options: tuple[str, ...] = (), links: str = "--copy-links", lasting: str = "") -> Command:
    """Return the rsync, run on the source, that sends a path to the same place on the dest.

    The guide's --archive --copy-links, without --compress (pictures do not shrink), and with --modify-window=-1: rsync's quick
    check sees whole seconds, and a SQLite WAL changes within one without changing its size. With --links as `links` they stay.
    """
    flags = ("--archive", links, "--modify-window=-1", "--mkpath", "--stats", f"--timeout={LONGEST_SILENCE_S}", *options)
    target = f"{plan.dest.ssh.user}@{_bracketed(plan)}:{path}"
    argv = ("rsync", *flags, "-e", shell_to_dest(plan), path, target)
    says = f"rsync {path} from the source to the dest"
    return Command(Role.SOURCE, argv, timeout_s=LONGEST_COPY_S, lasting=lasting, says=says)


def pinned_keys(role: Role) -> Reading[tuple[str, ...]]:
    """Return the host keys that the plan pins for a role, as "type base64"."""
    keys: tuple[str, ...] = yield PinnedKeys(role)
    return keys
