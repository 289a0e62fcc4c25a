"""nginx configuration as text with places: parsed so that single words can be replaced and every other byte stays as it is."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# As nginx's ngx_conf_read_token: quotes count at the start of a word only, and a word ends at a blank, `;` or `{` (but for `${`).
TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)|(?P<mark>[;{}])|(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|(?P<word>(?!["'])(?:\\.|\$\{[^}\s]*\}|[^\s;{\\])+)""",
    re.DOTALL,
)
DUMPED = re.compile(r"^# configuration file (/[^\n]*):\n", re.MULTILINE)
LUA = "_by_lua"


class Unreadable(HarnessError):
    """A configuration is not what nginx reads, or holds another language."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its place in the text, quotes included; `text` is without them."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive with its place: from its name to its `;` or `}`; `block` is None where it has none, `opened` is after its `{`."""

    file: str
    line: int
    name: str
    words: tuple[Word, ...]
    start: int
    end: int
    opened: int = 0
    block: tuple[Directive, ...] | None = None

    @property
    def args(self) -> tuple[str, ...]:
        """Its arguments."""
        return tuple(word.text for word in self.words)

    @property
    def where(self) -> str:
        """Where it stands, and what it says, for a person."""
        return f"{self.file}:{self.line}: {' '.join((self.name, *self.args))}"

    def inside(self, name: str) -> list[Directive]:
        """Return the directives of this name directly in its block."""
        return [one for one in self.block or () if one.name == name]


@dataclass(frozen=True, slots=True)
class Placed:
    """A directive and the blocks around it, the outermost first."""

    directive: Directive
    around: tuple[Directive, ...]

    def nearest(self, name: str) -> Directive | None:
        """Return the directive that holds here: the one in the innermost block that has it."""
        for block in reversed(self.around):
            if found := block.inside(name):
                return found[-1]
        return None

    def all_nearest(self, name: str) -> list[Directive]:
        """Return the directives of a kind that is inherited as a whole (headers): those of the innermost block that has any."""
        return next((found for block in reversed(self.around) if (found := block.inside(name))), [])

    def block(self, name: str) -> Directive | None:
        """Return the innermost block of this name around it."""
        return next((block for block in reversed(self.around) if block.name == name), None)


def _words(file: str, text: str) -> Iterator[Word]:
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise Unreadable(f"{file}:{text.count(chr(10), 0, at) + 1}: a quote is not closed")
        at = found.end()
        if found.lastgroup == "quoted":
            yield Word(re.sub(r"\\([\"'\\])", r"\1", found[0][1:-1]), found.start(), at)
        elif found.lastgroup != "blank":
            yield Word(found[0], found.start(), at)


def parse(file: str, text: str) -> tuple[Directive, ...]:
    """Return the directives of a file; raises Unreadable where it is no configuration, or holds Lua."""
    reading = _Reading(file, text, list(_words(file, text)))
    found = reading.block(whole=True)
    return tuple(found)


@dataclass(slots=True)
class _Reading:
    """Where a parse has come to."""

    file: str
    text: str
    words: Sequence[Word]
    at: int = 0

    def _line(self, place: int) -> int:
        return self.text.count("\n", 0, place) + 1

    def _mark(self, word: Word) -> str:
        """Return `;`, `{` or `}` where the word is that mark, unquoted."""
        return word.text if word.end - word.start == 1 and word.text in {";", "{", "}"} else ""

    def block(self, *, whole: bool = False) -> list[Directive]:
        """Read directives to the closing brace, or to the end of the file."""
        found: list[Directive] = []
        while self.at < len(self.words):
            if self._mark(self.words[self.at]) == "}":
                if whole:
                    raise Unreadable(f"{self.file}:{self._line(self.words[self.at].start)}: a brace too many")
                return found
            found.append(self._directive())
        if not whole:
            raise Unreadable(f"{self.file}: a block is not closed")
        return found

    def _directive(self) -> Directive:
        first, words = self.words[self.at], []
        while self.at < len(self.words) and not self._mark(self.words[self.at]):
            words.append(self.words[self.at])
            self.at += 1
        if self.at == len(self.words) or not words or self._mark(self.words[self.at]) == "}":
            raise Unreadable(f"{self.file}:{self._line(first.start)}: a directive without its end")
        mark = self.words[self.at]
        self.at += 1
        made = Directive(self.file, self._line(first.start), words[0].text, tuple(words[1:]), first.start, mark.end)
        if mark.text == ";":
            return made
        if LUA in made.name:
            raise Unreadable(f"{made.where}: Lua, which is not read")
        inner = self.block()
        closing = self.words[self.at]
        self.at += 1
        return replace(made, opened=mark.end, block=tuple(inner), end=closing.end)


def dumped(text: str) -> dict[str, str]:
    """Return the files that `nginx -T` has printed, the main one first; raises Unreadable when there is none."""
    parts = DUMPED.split(text)[1:]
    if not parts:
        raise Unreadable("nginx has printed no configuration")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def whole(files: Mapping[str, str]) -> tuple[Directive, ...]:
    """Return the configuration with its includes put in place, as nginx reads it; raises Unreadable."""
    main = next(iter(files))
    parsed = {file: parse(file, text) for file, text in files.items()}
    return _expanded(parsed[main], parsed, posixpath.dirname(main), frozenset({main}))


def _expanded(
    directives: Sequence[Directive], parsed: Mapping[str, tuple[Directive, ...]], prefix: str, within: frozenset[str]
) -> tuple[Directive, ...]:
    found: list[Directive] = []
    for one in directives:
        if one.name == "include" and one.args:
            pattern = posixpath.join(prefix, one.args[0])
            for file in sorted(file for file in parsed if fnmatchcase(file, pattern) and file not in within):
                found += _expanded(parsed[file], parsed, prefix, within | {file})
        elif one.block is not None:
            found.append(replace(one, block=_expanded(one.block, parsed, prefix, within)))
        else:
            found.append(one)
    return tuple(found)


def walk(directives: Sequence[Directive], around: tuple[Directive, ...] = ()) -> Iterator[Placed]:
    """Yield every directive with the blocks around it."""
    for one in directives:
        yield Placed(one, around)
        yield from walk(one.block or (), (*around, one))


def edited(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """Return the text with (start, end, new) put in place of what was there; everything else stays as it is."""
    for start, end, new in sorted(set(edits), reverse=True):
        text = text[:start] + new + text[end:]
    return text
