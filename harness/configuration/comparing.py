"""The dest's config beside the source's: what differs, what wins, who may read it, what it names, and how the core runs with it.

Secrets are compared as keyed digests or by themselves, and never shown: a difference says that they differ.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.configuration.meaning import names_the_core, why, whys
from harness.configuration.sources import (
    KEPT_FROM,
    RUNNING,
    UNIT,
    as_json,
    default_path,
    effective,
    masters,
    seen,
    sources,
)
from harness.configuration.values import IN_URL, secrets_in, top_keys
from harness.deed import Ask, Command, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.configuration.sources import Sources
    from harness.configuration.values import Config, Place
    from harness.deed import CommandResult, Reading
    from harness.plan import Plan

MISSING = "(not set)"
DIGITS = 16
# Prints "path sha256" of the files at or below paths; what is not there prints nothing, what cannot be read is an error.
SUMS = 'for path; do [ -e "$path" ] || continue; find -H "$path" -type f -exec sha256sum -- {} + || exit 1; done'
KEY_NAMES = ("keyFile", "ca.path")
TO_FILES = 'for path; do [ -e "$path" ] && find -H "$path" -type f ! -name "*.crt" ! -name "*.srl"; done; true'


def _differ(one: object, other: object) -> bool:
    """Whether two values differ, also by type: 1 is not true, and not "1"."""
    return as_json(one) != as_json(other)


def shown(key: str, value: object) -> object:
    """Return a value for the record: a secret is not shown, a date or another odd value is its text."""
    if any(secrets_in(key, value)):
        return "(a secret)"
    is_json = isinstance(value, str | int | bool | list | dict | type(None)) or (isinstance(value, float) and math.isfinite(value))
    return value if is_json else str(value)


def difference(key: str, source: object, dest: object) -> object:
    """Return what to show of the dest's value where it differs: of a secret only that it does."""
    if not any(secrets_in(key, source)) and not any(secrets_in(key, dest)):
        return shown(key, dest)
    if source == MISSING:
        return "(a secret, on the dest only)"
    return "(a secret, missing)" if dest == MISSING else "(a secret, differs)"


def differs_only_as_planned(plan: Plan, source: Config, more: Mapping[str, Any] | None = None) -> Reading[Check]:
    """Look whether the dest's effective config is the source's with exactly the planned changes (and with `more`)."""
    wanted = {**plan.planned_changes, **(more or {})}
    dest = yield from effective(plan, Role.DEST)
    name = "differences between the effective configs"
    if dest is None or (source.files and not dest.files):
        return equal(name, Witness.FILES, "the planned ones", "no config on the dest", 0, absent=True)
    keys = sorted(source.values.keys() | dest.values.keys())
    different = [key for key in keys if _differ(source.get(key, MISSING), dest.get(key, MISSING))]
    planned = {key: value for key, value in wanted.items() if _differ(source.get(key, MISSING), value)}
    found = {key: difference(key, source.get(key, MISSING), dest.get(key, MISSING)) for key in different}
    wrong = [key for key in different if key not in planned or _differ(planned[key], dest.get(key, MISSING))]
    held = not wrong and found.keys() == planned.keys()
    because = whys([*wrong, *(key for key in planned if key not in found)])
    remedy = "run again: the config is sent anew"
    return Check(name, Witness.FILES, planned, found, held, len(keys), len(source.values), why=because, remedy=remedy)


def named_keys_are_the_same(plan: Plan, source: Config, key: bytes) -> Reading[list[Check]]:
    """Look, key by key, at what names the core, its users and what they hold; secrets by their keyed digests."""
    dest = yield from effective(plan, Role.DEST)
    values = {} if dest is None else dest.values
    names = [name for name in sorted(source.values.keys() | values.keys()) if names_the_core(name)]
    checks = []
    for name in names:
        expected, observed = plan.planned_changes.get(name, source.get(name, MISSING)), values.get(name, MISSING)
        told = (_digested(name, expected, key), _digested(name, observed, key))
        checks.append(equal(name, Witness.FILES, *told, why=f"{name}: {why(name)}", remedy="correct it on the dest"))
    return checks


def _digested(name: str, value: object, key: bytes) -> object:
    return digest(as_json(value), key) if any(secrets_in(name, value)) else shown(name, value)


def digest(text: str, key: bytes) -> str:
    """Return the keyed digest of a text, as it is shown."""
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:DIGITS]


def digests(config: Config, key: bytes) -> dict[str, str]:
    """Return {dotted key: keyed digest} of every value that holds a secret, lists and URLs too."""
    return {name: digest(as_json(value), key) for name, value in config.values.items() if any(secrets_in(name, value))}


def secrets_are_equal(plan: Plan, source: Config, key: bytes) -> Reading[Check]:
    """Look whether every secret of the source is the same on the dest, by keyed digests; a URL may be planned to change."""
    dest = yield from effective(plan, Role.DEST)
    expected = digests(source.changed(_planned_urls(plan, source)), key)
    observed = {} if dest is None else digests(dest, key)
    different = [name for name in sorted(expected.keys() | observed.keys()) if expected.get(name) != observed.get(name)]
    because = (
        whys(different) if different else "a secret that changed ends sessions, links or the platform's e-mail index in silence"
    )
    return equal("keyed digests of the secrets", Witness.FILES, expected, observed, len(observed), len(expected), why=because)


def _planned_urls(plan: Plan, source: Config) -> dict[str, Any]:
    return {key: value for key, value in plan.planned_changes.items() if IN_URL.match(str(source.get(key, "")))}


def no_override_wins(plan: Plan, source: Config) -> Reading[Check]:
    """Look whether the dest's core would read the same files, in the same order, and no other; the first wins in silence."""
    whole = yield from sources(plan, Role.DEST)
    because = "override-config.yml wins over --config, the command line and the environment without a word"
    expected, observed = list(source.files), list(whole.files)
    examined = len(observed) if expected else 1  # a source without files: that the dest has none either was looked at
    remedy = "remove what the source has not, on the dest"
    return equal("config files, the winning one first", Witness.FILES, expected, observed, examined, why=because, remedy=remedy)


def start_is_known(plan: Plan) -> Reading[Check]:
    """Look whether the source core's arguments and environment are known: they win over its files."""
    whole = yield from sources(plan, Role.SOURCE)
    known = whole.started.known
    because = "what stands in the start command or the environment wins over the config files, and may not arrive"
    remedy = "start the source's core as usual, then run again"
    name = "how the source core's arguments and environment are known"
    return Check(
        name,
        Witness.PROCESSES,
        f"{RUNNING}, or {KEPT_FROM}",
        known,
        known in {RUNNING, KEPT_FROM, UNIT},
        1,
        why=because,
        remedy=remedy,
    )


def only_the_core_reads(plan: Plan) -> Reading[list[Check]]:
    """Look whether the files that hold secrets, and the keys that the config names, belong to the core and are closed to others."""
    whole = yield from sources(plan, Role.DEST)
    config = whole.config(Role.DEST)
    secret = [path for path in whole.files if _holds_secrets(whole, path)]
    keys = yield from _key_files(config)
    files = [*secret, *keys]
    if not files:
        looked = [*whole.files, default_path(plan)]
        return [equal("files that hold secrets", Witness.FILES, [], files, len(looked))]
    listed = yield Ask(Command(Role.DEST, ("stat", "-L", "-c", "%U %a %n", *files)))
    found = {path: (owner, mode) for owner, mode, path in (text.split(" ", 2) for text in listed.lines)}
    owners = {path: owner for path, (owner, _) in found.items()}
    others = {path: f"{int(mode, 8) & 0o077:03o}" for path, (_, mode) in found.items()}
    remedy = "chown and chmod the file on the source, then run again"
    because = "another program on this host can read the core's secrets, or the core cannot"
    return [
        equal("owner", Witness.FILES, dict.fromkeys(files, plan.core.user), owners, len(owners), why=because, remedy=remedy),
        equal(
            "rights of group and others",
            Witness.FILES,
            dict.fromkeys(files, "000"),
            others,
            len(others),
            why=because,
            remedy=remedy,
        ),
    ]


def _holds_secrets(whole: Sources, path: str) -> bool:
    return any(any(secrets_in(key, value)) for key, value in whole.layer(Role.DEST, path).items())


def _key_files(config: Config) -> Reading[list[str]]:
    """Return the private keys that the config names on the dest, those of its certificate authority too."""
    places = (*config.named_files(), *config.data_places())
    paths = [place.path for place in places if place.key.endswith(KEY_NAMES)]
    if not paths:
        return []
    answer: CommandResult = yield Ask(Command(Role.DEST, ("sh", "-c", TO_FILES, "files", *paths)))
    return answer.lines


def named_files_arrived(plan: Plan, source: Config, key: bytes) -> Reading[list[Check]]:
    """Look whether the files that the config names are on the dest with the same content; digests are keyed, as some are keys."""
    dest = source.changed(plan.planned_changes)
    pairs = list(zip(source.named_files(), dest.named_files(), strict=True))
    if not pairs:
        return [equal("files that the config names", Witness.FILES, [], [], len(source.values))]
    sides = yield (_sums(Role.SOURCE, [one for one, _ in pairs]), _sums(Role.DEST, [other for _, other in pairs]))
    source_sums, dest_sums = (dict(_sum(text) for text in answer.lines) for answer in sides)
    checks = []
    for one, other in pairs:
        expected, observed = _below(one.path, source_sums, key), _below(other.path, dest_sums, key)
        because = f"{one.key}: {why(one.key)}"
        remedy = "bring it there yourself, or name its folder in core.config_paths"
        checks.append(
            equal(f"{one.key}: {other.path}", Witness.FILES, expected, observed, 1 + len(observed), why=because, remedy=remedy)
        )
    return checks


def _sums(role: Role, places: Iterable[Place]) -> Ask:
    return Ask(Command(role, ("sh", "-c", SUMS, "sums", *(place.path for place in places)), timeout_s=600.0))


def _sum(text: str) -> tuple[str, str]:
    total, _, path = text.partition("  ")
    return path, total


def _below(path: str, sums: Mapping[str, str], key: bytes) -> dict[str, str]:
    """Return {path below: keyed digest} of a file or folder, as far as it is there."""
    inside = {one: total for one, total in sums.items() if one == path or one.startswith(f"{path}/")}
    return {one.removeprefix(path).lstrip("/") or "itself": digest(total, key) for one, total in inside.items()}


def launched_as_the_source(plan: Plan) -> Reading[Check]:
    """Look whether the dest's running core has the source's arguments, environment and folder, but for the planned changes."""
    whole = yield from sources(plan, Role.DEST)  # its start is the source's, changed as planned
    found = yield from masters(plan, Role.DEST)
    name = "arguments and environment of the dest core"
    if not found["running"]:
        return equal(name, Witness.PROCESSES, "the source's", "no master of a core runs", 0, absent=True)
    layers = [whole.layer(Role.DEST, path) for path in whole.files]
    running = seen(Role.DEST, found["running"][0], top_keys([whole.shipped, *layers]))
    expected = {**whole.started.shown(), "folder": whole.started.folder}
    observed = {**running.shown(), "folder": running.folder}
    different = [key for key in sorted(expected.keys() | observed.keys()) if _differ(expected.get(key), observed.get(key))]
    told = {key: difference(key, expected.get(key, MISSING), observed.get(key, MISSING)) for key in different}
    wanted = {key: shown(key, expected.get(key, MISSING)) for key in different}
    because = whys([key.partition(" ")[2] or key for key in different])
    remedy = "start the dest's core as the source's is started, the planned changes excepted"
    return Check(
        name,
        Witness.PROCESSES,
        wanted,
        told,
        not different,
        len(observed),
        min(len(expected), len(observed)),
        why=because,
        remedy=remedy,
    )
