"""The text of a plan: YAML of which only plain values are read, so that a hostile or mistaken file is told apart, never acted on.

Nothing is expanded or constructed: aliases, anchors and tags are problems, keys given twice are problems, and so is a value that
one version of YAML reads as a number or truth value and another as text (0123, on, 1:30). Size, depth and the count of values have
limits, which end the reading at once. The only values are text, numbers, true, false, nothing, lists and mappings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from harness.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LARGEST_BYTES = 65_536  # a plan has about 3,000
DEEPEST = 12
MOST_VALUES = 5_000
LONGEST_TEXT = 4_096
LONGEST_SHOWN = 60
Where = tuple[str | int, ...]
PLAIN: Mapping[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,14})")
DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
TEXT_TAGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp"}
RESOLVER = yaml.resolver.Resolver()
FILL_IN = re.compile(r":\s*# FILL IN:\s*(.*)$")
AMBIGUOUS = "some read it as text and some as a number or truth value: put it in quotes, or write a plain number, true or false"


@dataclass(frozen=True, slots=True)
class Document:
    """A plan's values, the line of each (from 1) by its path, and the problems of the text as (path, what is wrong)."""

    content: dict[str, Any]
    lines: Mapping[Where, int]
    problems: Sequence[tuple[Where, str]]


def shown(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Return a text that is not ours as it may be printed: on one line, printable, short."""
    printable = "".join(char if char.isprintable() else "�" for char in text[:longest])
    return printable if len(text) <= longest else f"{printable}…"


def read(text: bytes, name: str) -> Document:
    """Read a plan's text; raises PlanError when it is no UTF-8, no YAML, no mapping, or beyond a limit."""
    if len(text) > LARGEST_BYTES:
        raise PlanError(f"the plan {name} is not usable", [f"it is larger than {LARGEST_BYTES} bytes"])
    reader = _Reader(name, _events(text, name))
    content = reader.whole()
    if not isinstance(content, dict):
        raise PlanError(f"the plan {name} is not usable", ["the whole plan must be a mapping of its parts"])
    left = _to_fill_in(content, reader.lines, text.decode().splitlines())
    return Document(content, reader.lines, [*reader.problems, *left])


def _to_fill_in(content: Any, lines: Mapping[Where, int], texts: Sequence[str], at: Where = ()) -> Iterator[tuple[Where, str]]:  # noqa: ANN401 - a YAML value is any
    """Yield the values that are not there yet and whose line says what is to be filled in ("# FILL IN: …")."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        where = (*at, key)
        line = lines.get(where)
        if value is None and line and (found := FILL_IN.search(texts[line - 1])):
            yield where, f"is to be filled in: {shown(found[1], LONGEST_TEXT)}"
        yield from _to_fill_in(value, lines, texts, where)


def _events(text: bytes, name: str) -> Iterator[Any]:
    """Yield the events of YAML; raises PlanError with the line, never with a piece of the text."""
    try:
        yield from yaml.parse(text.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise _not_yaml(name, "it is not UTF-8", text[: error.start].count(b"\n") + 1) from error
    except yaml.reader.ReaderError as error:
        line = text.decode("utf-8")[: error.position].count("\n") + 1
        raise _not_yaml(name, "a character that text has no use for", line) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _not_yaml(name, shown(error.problem or error.context or "it cannot be read"), line) from error
    except (yaml.YAMLError, ValueError, OverflowError, IndexError) as error:
        # What PyYAML lets through of Python's own: a character beyond Unicode, a version number of thousands of digits.
        raise PlanError(f"the plan {name} is not YAML", [f"it cannot be read ({type(error).__name__})"]) from error


def _not_yaml(name: str, problem: str, line: int) -> PlanError:
    return PlanError(f"the plan {name} is not YAML", [f"{problem} (line {line})"])


class _Reader:
    """Builds plain values from events, remembering lines and problems; a value with a problem becomes nothing (None)."""

    def __init__(self, name: str, events: Iterator[Any]) -> None:
        self._name = name
        self._events = events
        self._count = 0
        self.lines: dict[Where, int] = {}
        self.problems: list[tuple[Where, str]] = []

    def whole(self) -> Any:  # noqa: ANN401 - a YAML value is any
        """Return the value of the only document."""
        documents = [self._value((), self._next()) for event in self._events if isinstance(event, yaml.DocumentStartEvent)]
        if len(documents) > 1:
            self._problem((), "there is more than one document (---) in it")
        return documents[0] if documents else None

    def _next(self) -> Any:  # noqa: ANN401 - PyYAML's events have no common type
        return next(self._events)

    def _problem(self, where: Where, text: str) -> None:
        self.problems.append((where, text))

    def _value(self, where: Where, event: Any) -> Any:  # noqa: ANN401 - a YAML value is any
        self.lines.setdefault(where, event.start_mark.line + 1)
        self._count += 1
        if self._count > MOST_VALUES or len(where) > DEEPEST:
            limit = f"it has more than {MOST_VALUES} values" if self._count > MOST_VALUES else f"it is nested deeper than {DEEPEST}"
            raise PlanError(f"the plan {self._name} is not usable", [f"{limit} (line {event.start_mark.line + 1})"])
        if isinstance(event, yaml.AliasEvent):
            return self._problem(where, "aliases (*name) are not read: write the value out")
        if event.anchor is not None:
            self._problem(where, "anchors (&name) are not read: leave it out")
        if event.tag is not None:
            self._problem(where, "tags (!name) are not read: leave it out")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(where, event)
        return self._list(where) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(where)

    def _list(self, where: Where) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._value((*where, len(values)), event))
        return values

    def _mapping(self, where: Where) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(where, event)
            line = event.start_mark.line + 1
            if key in values:
                self._problem((*where, key), f"given twice: also in line {line}")
                self._value((*where, key), self._next())
            elif key is None:
                self._value((*where, "?"), self._next())
            else:
                self.lines[*where, key] = line
                values[key] = self._value((*where, key), self._next())
        return values

    def _key(self, where: Where, event: Any) -> str | None:  # noqa: ANN401 - an event
        """Return a key as it is written, whatever YAML would make of it; None with a problem when it is not text."""
        plain = isinstance(event, yaml.ScalarEvent) and event.anchor is None and event.tag is None
        if plain and not _fault(event.value):
            return str(event.value)
        first = len(self.problems)
        self._value((*where, "?"), event)
        self.problems[first:] = [((*where, "?"), "a key must be plain text on one line")]
        return None

    def _scalar(self, where: Where, event: Any) -> Any:  # noqa: ANN401 - a YAML value is any
        text: str = event.value
        if fault := _fault(text):
            return self._problem(where, fault)
        if event.style is not None:  # quoted, or a block
            return text
        try:
            return _plain(text)
        except ValueError as error:
            return self._problem(where, str(error))


def _plain(text: str) -> str | int | float | bool | None:
    """Return what text without quotes is; raises ValueError when it is not the same to every version of YAML."""
    if text.lower() in PLAIN:
        return PLAIN[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text)
    if DECIMAL.fullmatch(text):
        return float(text)
    if RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) not in TEXT_TAGS:  # type: ignore[no-untyped-call]  # no stub for it
        raise ValueError(AMBIGUOUS)
    return text


def _fault(text: str) -> str:
    """Return what is wrong with any text of a plan, or nothing: the length, or characters that are not for printing."""
    if len(text) > LONGEST_TEXT:
        return f"longer than {LONGEST_TEXT} characters"
    return "" if text.isprintable() else "has control characters, line ends or characters that cannot be seen"
