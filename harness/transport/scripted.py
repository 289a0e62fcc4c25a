"""The shipped fake: a table of command lines and what they answer. What is not in the table raises."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import DeedFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.errors import Unreachable
    from harness.transport import Completed


class UnexpectedCommandError(AssertionError):
    """The code under test ran a command line that the script does not know."""


@dataclass
class Scripted:
    """Answers command lines by the first pattern (a regular expression, searched) that fits.

    An answer is a Completed, an exception to raise, or a list of those given one after another (the last one stays). `ran` holds
    every command line in order, `inputs` what was sent to each.
    """

    answers: Mapping[str, Completed | Exception | list[Completed | Exception]]
    ran: list[str] = field(default_factory=list)
    inputs: list[bytes] = field(default_factory=list)

    def execute(self, line: str, *, input: bytes = b"", timeout_s: float = 60.0) -> Completed:  # noqa: A002, ARG002 - Transport's names
        """Answer from the script; see Transport."""
        self.ran.append(line)
        self.inputs.append(input)
        for pattern, answer in self.answers.items():
            if re.search(pattern, line):
                return self._next(answer)
        raise UnexpectedCommandError(line)

    @staticmethod
    def _next(answer: Completed | Exception | list[Completed | Exception]) -> Completed:
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stream(self, line: str) -> Iterator[bytes]:
        """Yield the lines of the scripted output; see Transport."""
        completed = self.execute(line)
        yield from completed.out.splitlines(keepends=True)
        if completed.exit:
            raise DeedFailed(f"exit {completed.exit} from {line}")

    def forward(self, address: str, port: int) -> Path:
        """Nothing is there to lead to."""
        raise UnexpectedCommandError(f"forward to {address}:{port}")

    def give_up(self, error: Unreachable) -> None:
        """Answer everything with this error; see Transport."""
        self.answers = {"": error}

    def close(self) -> None:
        """Nothing to end."""
