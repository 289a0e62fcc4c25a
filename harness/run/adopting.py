"""A lost laptop is no lost run: another machine goes on from the copy of the journal on a host, once its chain is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import DeedFailed, Refused
from harness.journal import read
from harness.run.folder import Holder, RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from harness.host import Host


def adopt(host: Host, source: Host, reports: Path, me: Holder) -> Path:
    """Fetch a run's record from a host, and what it kept privately from the source; returns the folder of the record here.

    Raises Refused when there is no copy there, or when what lies here already is not the beginning of it; JournalBroken when its
    chain does not hold.
    """
    there = RunFolder(host, me)
    try:
        content = there.fetch("journal.jsonl")
    except DeedFailed as error:
        raise Refused(f"the {host.role} has no copy of a run's journal in {host.run_folder}: nothing to adopt") from error
    part = reports / f".adopted-{host.role}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.touch(mode=0o600)
    part.write_bytes(content)
    recorded = read(part)
    folder = reports / str(next(line["run"] for line in recorded.lines if line["kind"] == "run"))
    _lay(part, folder, content)
    _fetch_private(RunFolder(source, me), folder / "private")
    return folder


def _lay(part: Path, folder: Path, content: bytes) -> None:
    path = folder / "journal.jsonl"
    folder.mkdir(mode=0o700, exist_ok=True)
    if path.exists() and not content.startswith(path.read_bytes()):
        part.unlink()
        raise Refused(f"{path} is there and is not the beginning of the copy on the host: go on with it, or move it away")
    part.replace(path)


def _fetch_private(source: RunFolder, private: Path) -> None:
    private.mkdir(mode=0o700, exist_ok=True)
    for name in source.kept():
        file = private / name
        file.touch(mode=0o600)
        file.write_bytes(source.fetch(f"private/{name}"))
