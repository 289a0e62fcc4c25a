"""given, when and then, with the typed nouns of the runbook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.databases import ENGINES
from harness.deed import Role
from harness.probing import TRIES
from harness.recording.words import define
from harness.verification import CREDENTIALS

if TYPE_CHECKING:
    from harness.databases import Engine


def engine(name: str) -> Engine:
    """Return an engine by its name in the features."""
    return ENGINES[name]


def role(name: str) -> Role:
    """Return a role by its name in the features."""
    return Role(name)


role.pattern = "source|dest"  # type: ignore[attr-defined]  # parse reads it
engine.pattern = "|".join(ENGINES)  # type: ignore[attr-defined]  # parse reads it


def path(name: str) -> str:
    """Return a way of writing by its name in the features."""
    return name


path.pattern = "|".join(TRIES)  # type: ignore[attr-defined]  # parse reads it


def credential(name: str) -> str:
    """Return a credential by its name in the features."""
    return name


credential.pattern = "|".join(CREDENTIALS)  # type: ignore[attr-defined]  # parse reads it
WORDS = define({"Role": role, "Engine": engine, "Path": path, "Credential": credential})
given, when, then = WORDS.given, WORDS.when, WORDS.then
