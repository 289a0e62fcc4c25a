"""What a host's programs printed, as far as it may be shown: a server's DETAIL, CONTEXT and the like, and rows, hold users' data.

What follows a server's message is left out until one of the programs that we run speaks itself again, as a value in it may hold
line ends. A label that is not known (a server that speaks another language) is one of those that are left out.
"""

from __future__ import annotations

import re

# The label of a part of a server's message, in capitals (or a script without any), first or after the name of who passes it on.
LABEL = re.compile(r"(?:^|(?<=[:\])])|(?<=[:\])] ))([^\W\d_]{2,})(?= ?:(?: |$))")
SEVERITIES = frozenset({"ERROR", "FATAL", "PANIC", "WARNING", "NOTICE"})
FOLLOWS = re.compile(r"^LINE \d+:|^Command was:|\b(?:detail|hint): |\b(?:Query|Command) was: ")
PROGRAMS = "psql|pg_restore|pg_dump|pg_dumpall|vacuumdb|rsync|ssh|python3|fingerprint|dumped|manifest|lasting|lock|sh|env|sudo"
SPEAKS = re.compile(rf"^(?:{PROGRAMS})(?:\[\d+\])?: ")
ROWS = re.compile(r"\bCOPY .* FROM stdin\b", re.IGNORECASE)
END_OF_ROWS = r"\."
# What a server quotes is a name only after one of these words; anything else that it quotes may be a value.
NAMES = "constraint|relation|table|column|database|role|user|index|schema|type|function|sequence|extension|parameter|server at|file"
NAMED = re.compile(rf'\b(?:{NAMES}) "[\w$./:-]+"')

# What rsync prints of a failure on the other host is now and then lost on its way here; what its exit codes mean is not.
RSYNC = {
    11: "a file could not be written or read: is a disk full?",
    12: "the stream was cut",
    23: "not everything was sent",
    30: "nothing came for too long",
    255: "ssh failed",
}


def meaning(program: str, code: int) -> str:
    """Return what an exit code of a program means, in brackets, where that is known."""
    return f" ({RSYNC[code]})" if program == "rsync" and code in RSYNC else ""


def cleaned(text: str) -> tuple[list[str], int]:
    """Return the lines of what was printed that may be shown, and how many were left out."""
    shown: list[str] = []
    lines = text.rstrip().splitlines()
    rows = hiding = False
    for line in lines:
        if rows:
            rows = line != END_OF_ROWS
            continue
        rows = bool(ROWS.search(line))
        labels = [label for label in LABEL.findall(line) if label == label.upper()]
        if labels and labels[0] in SEVERITIES:
            shown.append(without_values(line))
            hiding = True
        elif labels or FOLLOWS.search(line):
            hiding = True
        elif "\t" not in line and not rows and (not hiding or SPEAKS.match(line)):
            shown.append(line)
            hiding = False
    return shown, len(lines) - len(shown)


def without_values(line: str) -> str:
    """Return a server's error line without the values in it: cut at the first quote that holds no name."""
    plain = NAMED.sub(lambda found: "\0" * len(found[0]), line)
    at = plain.find('"')
    return line if at < 0 else f"{line[:at]}…"
