"""A program of the operator's, run on the machine where the harness runs: no shell, no terminal, a given environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from harness.errors import DeedFailed, TimedOut
from harness.transport import Completed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEPT_BYTES = 16_384


def run(argv: tuple[str, ...], environment: Mapping[str, str], timeout_s: float) -> Completed:
    """Run a program in a session of its own and return its exit code and the end of what it printed (16 KiB of each stream).

    Raises DeedFailed when it cannot be started, TimedOut when it does not end in time; then it and its children are ended. Output
    goes to files, not pipes: a child that outlives the program keeps nobody waiting.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=dict(environment), start_new_session=True
            )
        except OSError as error:
            raise DeedFailed(f"{argv[0]} cannot be started here: {error.strerror}") from error
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TimedOut(f"{argv[0]} does not end (waited {timeout_s:g} s)") from error
        finally:
            _end(process)
        return Completed(code, _end_of(out), _end_of(err), time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class Running:
    """A program that goes on beside the harness; it ends by itself once its stdin ends, and so when the harness dies."""

    process: subprocess.Popen[bytes]

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def end(self, after_s: float, within_s: float) -> None:
        """Wait a while for it to end by itself; then end its stdin and wait for it. One that does not end in time is killed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(after_s)
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(within_s)
        _end(self.process)


def begin(argv: tuple[str, ...], environment: Mapping[str, str], first: bytes, errors: Path) -> Running:
    """Start a program in a session of its own, hand it `first` on its stdin, which stays open, and do not wait for it.

    What it writes to stderr is appended to `errors` (made 0600). Raises DeedFailed when it cannot be started.
    """
    errors.touch(mode=0o600)
    with errors.open("ab") as err:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=err, env=dict(environment), start_new_session=True
            )
        except OSError as error:
            raise DeedFailed(f"{argv[0]} cannot be started here: {error.strerror}") from error
    running = Running(process)
    try:
        assert process.stdin  # noqa: S101 - it is a pipe
        process.stdin.write(first)
        process.stdin.flush()
    except OSError as error:
        running.end(0.0, 0.0)
        raise DeedFailed(f"{argv[0]} does not read what it is told") from error
    return running


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and its children."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_of(stream: IO[bytes]) -> bytes:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - KEPT_BYTES))
    return stream.read()
