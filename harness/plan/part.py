"""What every part of a plan is, and how it refers to a secret."""

# ruff: noqa: TC001 - pydantic reads the annotations when the program runs

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from harness.deed import Secret
from harness.errors import PlanError
from harness.plan.kinds import EnvironmentName, LocalPath

LONGEST_SECRET = 65_536


class Part(BaseModel):
    """A part of the plan: unknown keys are problems, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretReference(Part):
    """Where a secret is: exactly one of an environment variable and a file (its text without the last newline)."""

    env: EnvironmentName | None = None
    file: LocalPath | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> SecretReference:
        if bool(self.env) == bool(self.file):
            raise ValueError("give exactly one of env and file")
        return self

    def read(self) -> Secret:
        """Return the secret; raises PlanError when it is not there, empty, or more than a secret can be."""
        if self.env:
            if not os.environ.get(self.env):
                raise PlanError("a secret is missing", [f"environment variable {self.env} is not set"])
            return Secret(os.environ[self.env])
        return Secret(_secret_of(Path(self.file or "").expanduser()))


def _secret_of(path: Path) -> str:
    """Return a secret file's text; a pipe or device that never ends is read to the largest size and refused."""
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_SECRET + 1).decode("utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError, RuntimeError) as error:  # RuntimeError: "~" with no home
        cause = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise PlanError("a secret is missing", [f"{path}: {cause}"]) from error
    if not text or len(text) > LONGEST_SECRET:
        raise PlanError("a secret is missing", [f"{path}: {'larger than a secret can be' if text else 'the file is empty'}"])
    return text
