"""A program of the operator's, run on the machine where the harness runs: no shell, no terminal, a given environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from typing import IO, TYPE_CHECKING

from harness.errors import DeedFailed, TimedOut
from harness.transport import Completed

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and its children."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_of(stream: IO[bytes]) -> bytes:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - KEPT_BYTES))
    return stream.read()
