"""The commands beside the runbook itself: `python -m harness init`, `… approve DIR`, `… report DIR`, `… schema`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import discovery, report
from harness.errors import HarnessError
from harness.plan import schema
from harness.run.approved import approve, load

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 1 with a message on stderr."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(f"{options.does(options)}\n")
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(f"{error.filename or options.folder}: {error.strerror or error}\n")
    else:
        return 0
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness", description="Commands beside the runbook itself.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    reporting = commands.add_parser("report", help="write report.html, junit.xml and cucumber.json again from a run's journal")
    reporting.add_argument("folder", type=Path, metavar="DIR", help="the run's folder under reports/, with its journal.jsonl")
    reporting.set_defaults(does=_report)
    _add_init(
        commands.add_parser("init", help="look at two hosts, change nothing, and write a plan for moving the core that runs there")
    )
    approving = commands.add_parser("approve", help="approve the plan document of a dry run: writes approval.json beside it")
    approving.add_argument("folder", type=Path, metavar="DIR", help="the dry run's folder under reports/, with its plan.html")
    approving.add_argument("--approver", required=True, metavar="NAME", help="who approves; not the operator of the change")
    approving.set_defaults(does=_approve)
    shape = commands.add_parser("schema", help="print the JSON Schema of the plan, for editors")
    shape.set_defaults(does=_schema, folder=None)
    return parser


def _add_init(init: argparse.ArgumentParser) -> None:
    ssh = "user@host[:port], or a name of your ssh_config"
    init.add_argument("--source", required=True, metavar="SSH", help=f"the host that the core runs on: {ssh}")
    init.add_argument("--dest", required=True, metavar="SSH", help="the host that it moves to")
    init.add_argument(
        "--out", type=Path, default=Path("migration.yml"), metavar="FILE", help="the plan to write; never overwritten"
    )
    known = Path("~/.ssh/known_hosts").expanduser()
    init.add_argument("--known-hosts", type=Path, default=known, metavar="FILE", help="where both hosts' keys are pinned")
    init.add_argument("--ssh-config", type=Path, metavar="FILE", help="an ssh_config instead of your own")
    init.add_argument(
        "--identity-file", type=Path, metavar="FILE", help="the key to come with (without: your agent's, your ssh_config's)"
    )
    init.add_argument("--jump", default="", metavar="SSH", help="a host that both are reached by, where no ssh_config says so")
    init.add_argument("--name-server", action="append", default=[], metavar="ADDRESS[:PORT]", help="the public name's own servers")
    init.add_argument(
        "--tls-ca", type=Path, metavar="FILE", help="the authority of the core's certificate, where it is a private one"
    )
    init.set_defaults(does=_init, folder=None)


def _init(options: argparse.Namespace) -> str:
    files = {
        name: str(getattr(options, name).absolute())
        for name in ("known_hosts", "ssh_config", "identity_file", "tls_ca")
        if getattr(options, name)
    }
    wanted = discovery.Wanted(
        source=options.source,
        dest=options.dest,
        known_hosts=files["known_hosts"],
        ssh_config=files.get("ssh_config", ""),
        identity_file=files.get("identity_file", ""),
        jump=options.jump,
        name_servers=[discovery.endpoint(one) for one in options.name_server],
        tls_ca_file=files.get("tls_ca", ""),
        ask=input if sys.stdin.isatty() else None,
    )
    return discovery.write(wanted, options.out)


def _schema(_: argparse.Namespace) -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False)


def _approve(options: argparse.Namespace) -> str:
    given = load(approve(options.folder, options.approver))
    points = [f"  still open: {point}" for point in given.open_points]
    return "\n".join([f"{given.change} approved by {given.approver}: {given.path}", f"digest {given.document}", *points])


def _report(options: argparse.Namespace) -> Path:
    return report.write(options.folder)


if __name__ == "__main__":
    sys.exit(main())
