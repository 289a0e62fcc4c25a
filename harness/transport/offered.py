"""The key that a host offers before it is pinned: asked for by ssh itself, so that aliases, ports and jump hosts are its own."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import Unreachable
from harness.transport.ssh import CONNECT_TIMEOUT_S, options, told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.plan import SshPart

NOBODY = {"StrictHostKeyChecking": "accept-new", "PreferredAuthentications": "none", "HashKnownHosts": "no", "ControlMaster": "no"}


@dataclass(frozen=True, slots=True)
class Offered:
    """The lines that known_hosts would have, and the fingerprints of their keys."""

    lines: tuple[str, ...]
    fingerprints: tuple[str, ...]


def offered(who: str, part: SshPart) -> Offered:
    """Return the key that a host offers; nobody signs in, and nothing is pinned. Raises Unreachable when it does not answer."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "known_hosts"
        first = {**NOBODY, "UserKnownHostsFile": str(file)}
        flags = [word for key, value in first.items() for word in ("-o", f"{key}={value}")]
        # Of an option that is given twice the first counts.
        argv = ("ssh", *flags, *options(part, Path("none")), "--", part.host, "true")
        asked = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=4 * CONNECT_TIMEOUT_S, check=False, start_new_session=True
        )
        if not file.is_file():
            raise Unreachable(who, "asking for its key", told(asked.stderr) or f"exit {asked.returncode}")
        argv = ("ssh-keygen", "-lf", str(file))
        shown = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=CONNECT_TIMEOUT_S)
        return Offered(tuple(file.read_text(encoding="ascii").splitlines()), tuple(shown.stdout.splitlines()))


def pin(known_hosts: str, lines: Iterable[str]) -> None:
    """Append lines to a known_hosts file, which is made where there is none."""
    path = Path(known_hosts)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)
