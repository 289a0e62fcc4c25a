"""The commands beside the runbook itself: `python -m harness report DIR`, `… approve DIR --approver NAME`, `… schema`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import report
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
    approving = commands.add_parser("approve", help="approve the plan document of a dry run: writes approval.json beside it")
    approving.add_argument("folder", type=Path, metavar="DIR", help="the dry run's folder under reports/, with its plan.html")
    approving.add_argument("--approver", required=True, metavar="NAME", help="who approves; not the operator of the change")
    approving.set_defaults(does=_approve)
    shape = commands.add_parser("schema", help="print the JSON Schema of the plan, for editors")
    shape.set_defaults(does=_schema, folder=None)
    return parser


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
