"""Drives the generators of acts and looks: what they yield is done, and the answer, or the error, is sent back in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")


def drive(generator: Generator[Any, Any, T], perform: Callable[[Any], Any]) -> T:
    """Run a generator to its end and return what it returns; an error of `perform` is raised inside it, where it may be handled."""
    try:
        wanted = next(generator)
        while True:
            try:
                answer = perform(wanted)
            except HarnessError as error:
                wanted = generator.throw(error)
            else:
                wanted = generator.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result
