"""What is masked before anything is recorded, printed or raised: secrets by a mask, people and their paths by keyed pseudonyms.

A secret is found wherever it stands, also inside other text and in the forms that programs write it in. A person (user name, user
id, e-mail address) is found as a word or a part of one, so that a hundred thousand of them cost no more than a few. What lies below
a folder of users is a path of theirs, whoever they are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import shlex
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "•••"
SHORTEST_SECRET = 6
SHORTEST_PERSON = 5
PSEUDONYM_DIGITS = 12
# Fields of the journal that hold our own vocabulary: what a run is folded from is never changed by what somebody is called.
OURS = frozenset(
    {"seq", "time", "kind", "prev", "status", "phase", "outcome", "keyword", "role", "id", "mark", "feature", "scenario", "example"}
    | {"witness", "unsettles", "from", "until"}
)
# Lines that are compared with later: their names are tables and folders, which may be words that somebody is called by.
COMPARED = frozenset({"digest", "fact"})
QUOTES, UNQUOTES = "\"'`\u2018\u201c", "\"'`\u2019\u201d"
WORD = re.compile(rf"[^\s{QUOTES}{UNQUOTES}()<>\[\]{{}},;=|]+")
PIECE = re.compile(r"[^\W_]+|[\W_]")
END_OF_SENTENCE = ".:,;"


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_base64(secret: bytes) -> Iterator[str]:
    """Yield what stands for a secret in the base64 of anything that it is a part of: by where it begins in a group of three."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + secret).decode()
        first, last = (0, 2, 3)[before], (before + len(secret)) * 8 // 6
        yield whole[first:last]
        yield whole[first:last].translate({ord("+"): "-", ord("/"): "_"})


def forms(secret: str) -> set[str]:
    """Return the forms that a secret may be printed in: as it is, line by line, quoted for JSON, URL, shell, SQL, psql and Python,
    as base64 and as hexadecimal. What is shorter than 6 characters is left out: masking it would blank innocent text.
    """  # noqa: D205 - one sentence
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    lower = {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in quoted}
    escaped = {_escaped(secret), json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1], _escaped(_escaped(secret))}
    escaped |= {text.replace("/", "\\/") for text in escaped}
    in_psql = secret.replace("\\", "\\\\").replace("'", "\\'")
    in_shell = shlex.quote(secret)
    programs = {in_psql, in_psql.replace("\n", "\\n"), in_shell[1:-1] if in_shell != secret else secret, secret.replace("'", "''")}
    found = {secret, *secret.split("\n"), *quoted, *lower, *escaped, *programs, *_in_base64(raw), raw.hex(), raw.hex().upper()}
    return {text for text in found if len(text) >= SHORTEST_SECRET}


@cache
def our_words() -> frozenset[str]:
    """Return the words that this program itself writes: that they are written says nothing of a person who is called so."""
    sources = (file for folder in _folders() for file in folder.iterdir() if file.name.endswith(".py"))
    return frozenset(word for file in sources for word in re.findall(r"\b[a-z]{5,}\b", file.read_text(encoding="utf-8")))


def _is_ours(word: str) -> bool:
    return word.isalpha() and word in our_words()


def _folders() -> Iterator[Any]:
    whole = resources.files("harness")
    yield whole
    yield from (folder for folder in whole.iterdir() if folder.is_dir())


@dataclass
class Masker:
    """Replaces what it has learnt; `key` makes the pseudonyms, which are the same within a run and others in every other run."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _secrets: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _people: set[str] = field(default_factory=set, repr=False)
    _most_pieces: int = 0
    _folders: frozenset[str] = frozenset()
    _below: re.Pattern[str] | None = field(default=None, repr=False)

    # --- what is learnt

    def know(self, *values: str) -> None:
        """Learn secrets; those shorter than 6 characters and words of ours are not replaced, as they would blank innocent text."""
        self._add({form for value in values if not _is_ours(value) for form in forms(value)})

    def _add(self, found: Iterable[str]) -> None:
        by_start: dict[str, set[str]] = {}
        for form in found:
            if len(form) >= SHORTEST_SECRET:
                by_start.setdefault(form[:SHORTEST_SECRET], set()).add(form)
        for start, those in by_start.items():
            self._secrets[start] = tuple(sorted(those.union(self._secrets.get(start, ())), key=len, reverse=True))

    def meet(self, people: Iterable[str]) -> None:
        """Learn what people are called by: names, ids, addresses; what is no word by itself is masked. Our own words, and names of
        less than 5 characters, are left out.
        """  # noqa: D205 - one paragraph
        odd: list[str] = []
        for person in people:
            name = person.lower()
            if not WORD.fullmatch(name):
                odd += (person, json.dumps(person)[1:-1], json.dumps(person, ensure_ascii=False)[1:-1])
                continue
            if len(name) < SHORTEST_PERSON or _is_ours(name):
                continue
            for form in {name, quote(name, safe="").lower()}:
                self._people.add(form)
                self._most_pieces = max(self._most_pieces, len(PIECE.findall(form)))
        self._add(odd)

    def hide_below(self, folders: Iterable[str]) -> None:
        """Learn folders of users: of a path below one of them only the folder is shown."""
        found = self._folders.union(folder.rstrip("/") for folder in folders)
        if found == self._folders:
            return
        self._folders = found
        roots = "|".join(re.escape(folder) for folder in sorted(self._folders, key=len, reverse=True))
        # In quotes a path ends with the last quote of the line, as names may hold spaces and quotes; else with the word.
        self._below = re.compile(
            rf"(?<=[{QUOTES}])(?P<root>{roots})/+(?P<quoted>(?![*{UNQUOTES}])[^\n]*)(?=[{UNQUOTES}])"
            rf"|(?P<folder>{roots})/+(?P<word>(?![*])[^\s{UNQUOTES}]+)"
        )

    def pseudonym(self, text: str) -> str:
        """Return what stands for a person or a path."""
        raw = text.encode("utf-8", "surrogatepass")
        return "~" + hmac.new(self.key, raw, hashlib.sha256).hexdigest()[:PSEUDONYM_DIGITS]

    # --- what is masked

    def text(self, text: str, *, words_too: bool = True) -> str:
        """Return the text without secrets and people; `words_too` says whether plain words may be names of people."""
        return self._without_people(self._without_secrets(text), words_too=words_too)

    def deep(self, value: Any, *, words_too: bool = True) -> Any:  # noqa: ANN401 - any JSON value in, the same shape out
        """Return the JSON value with every string in it masked, keys included."""
        if isinstance(value, str):
            return self.text(value, words_too=words_too)
        if isinstance(value, dict):
            return {self.text(str(key), words_too=words_too): self.deep(item, words_too=words_too) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.deep(item, words_too=words_too) for item in value]
        return value if value is None or isinstance(value, bool | int | float) else self.text(str(value), words_too=words_too)

    def line(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return a journal's line, masked where it holds more than our own words."""
        words_too = fields.get("kind") not in COMPARED
        return {
            name: self._without_secrets(value) if name in OURS and isinstance(value, str) else self.deep(value, words_too=words_too)
            for name, value in fields.items()
        }

    def error(self, error: HarnessError) -> None:
        """Mask the text of an error, and of those of ours that led to it."""
        error.args = tuple(self.deep(argument) for argument in error.args)
        for name, value in vars(error).items():
            if isinstance(value, str):
                setattr(error, name, self.text(value))
        led = error.__cause__ or error.__context__
        if isinstance(led, HarnessError):
            self.error(led)

    def _without_secrets(self, text: str) -> str:
        parts, shown = [], 0
        for begin, end in self._covered(text):
            parts += [text[shown:begin], MASK]
            shown = end
        return "".join([*parts, text[shown:]])

    def _covered(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the stretches that secrets cover; those that touch or overlap are one, so that no end of the second is left."""
        begin = end = 0
        for at in range(len(text) - SHORTEST_SECRET + 1 if self._secrets else 0):
            candidates = self._secrets.get(text[at : at + SHORTEST_SECRET], ())
            length = next((len(one) for one in candidates if text.startswith(one, at)), 0)
            if length and at > end:
                if end:
                    yield begin, end
                begin = at
            if length:
                end = max(end, at + length)
        if end:
            yield begin, end

    def _without_people(self, text: str, *, words_too: bool) -> str:
        if self._below:
            text = self._below.sub(self._path, text)
        return WORD.sub(lambda found: self._word(found[0], words_too=words_too), text) if self._people else text

    def _path(self, found: re.Match[str]) -> str:
        folder = found["root"] or found["folder"]
        rest = found["quoted"] or found["word"]
        bare = rest.rstrip(END_OF_SENTENCE)
        if f"{folder}/{bare}".rstrip("/") in self._folders:
            return found[0]
        return f"{folder}/{self.pseudonym(bare)}{rest[len(bare) :]}"

    def _word(self, word: str, *, words_too: bool) -> str:
        """Return a word without the people in it; a path or URL with a person in it goes whole."""
        pieces = PIECE.findall(word)
        shown: list[str] = []
        at = 0
        while at < len(pieces):
            length = self._person_at(pieces, at, words_too=words_too)
            if length and "/" in word:
                bare = word.rstrip(END_OF_SENTENCE)
                return self.pseudonym(bare) + word[len(bare) :]
            shown.append(self.pseudonym("".join(pieces[at : at + length]).lower()) if length else pieces[at])
            at += length or 1
        return "".join(shown)

    def _person_at(self, pieces: list[str], at: int, *, words_too: bool) -> int:
        """Return how many pieces from there on are a person, the most possible, or 0."""
        ahead = accumulate(pieces[at : at + self._most_pieces])
        found = [
            number
            for number, name in enumerate((text.lower() for text in ahead), start=1)
            if name in self._people and (words_too or not name.isalpha())
        ]
        return found[-1] if found else 0
