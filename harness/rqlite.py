"""The platform's database where the core keeps it in rqlite: a child process of the core, with a data root of its own.

What is known of rqlited, measured on 9.4.5: its times lie, so the last copy goes by checksum; a stop may leave it running, or cut
it off in the middle of its close; until its log is replayed only level=strong tells all rows; its address is stored in its raft,
and a start with peers.json corrects that, without loss only where clean_snapshot is gone (else acknowledged rows may be).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.check import Check, Witness, equal
from harness.configuration.values import RQLITE_DIR
from harness.container import in_its_network, of_image
from harness.deed import Ask, Command, Compare, Role
from harness.errors import DeedFailed
from harness.host import python
from harness.sqlite_sets import kept

if TYPE_CHECKING:
    from harness.configuration import Config
    from harness.container import Container
    from harness.deed import Act, Reading
    from harness.plan import Plan

PART = "storages.engines.rqlite."
LOOPBACK = "127.0.0.1"
LONGEST_S = 600.0
MISSING = 127
SHOWN_OF_A_KEY = 12
NAME = "rqlited"
TABLE = "keyValue"
# As the core's own files are; the folder is there once the files have arrived.
STORE = (
    'umask 077; rm -f -- "$0/clean_snapshot" && cat > "$0/raft/peers.json.part" && chown --reference="$0/raft.db" '
    '"$0/raft/peers.json.part" && chmod 600 "$0/raft/peers.json.part" && mv "$0/raft/peers.json.part" "$0/raft/peers.json"'
)
STORED = 'cat "$0/raft/peers.json" && ! [ -e "$0/clean_snapshot" ] && exit 0; [ -e "$0/raft/peers.json" ] && exit 3; exit 1'
WITH_SNAPSHOT = 3


def used(config: Config) -> bool:
    """Whether the core keeps the platform in rqlite."""
    return config.engines().get("platform") == "rqlite"


def ports(config: Config) -> tuple[int, int]:
    """Return the ports of rqlited: of its HTTP API, and of its raft."""
    return urlsplit(str(config.get(f"{PART}url", "http://localhost:4001"))).port or 4001, int(config.get(f"{PART}raftPort", 4002))


def folder(config: Config) -> str:
    """Return the folder of its data."""
    return next(place.path for place in config.data_places() if place.key == RQLITE_DIR)


def address(config: Config) -> str:
    """Return the address that it gives to its raft: where the core publishes none, its own host's loopback."""
    return f"{config.get('core.ip') or LOOPBACK}:{ports(config)[1]}"


def moves_address(plan: Plan, source: Config) -> bool:
    """Whether the address that rqlited has stored is another on the dest."""
    return used(source) and address(source) != address(source.changed(plan.planned_changes))


def core_key(config: Config) -> str:
    """Return the key of the core's own row."""
    return f"core-info/{config['core.id']}"


def _asked(role: Role, config: Config) -> Reading[dict[str, Any]]:
    asked = python(role, "rqlite", "ask", str(ports(config)[0]), core_key(config), timeout_s=LONGEST_S)
    found: dict[str, Any] = (yield Ask(replace(in_its_network(config.container, asked), private=True))).json()
    return found


def own_row(role: Role, config: Config) -> Reading[list[dict[str, Any]]]:
    """Return the core's own row, as a list of one, or of none."""
    return [json.loads(value) for value in (yield from _asked(role, config))["core"]]


def users(role: Role, config: Config) -> Reading[int]:
    """Return how many rows say where a user lives."""
    return int((yield from _asked(role, config))["users"])


# --- before the move, and after the start on the dest


def answers(role: Role, config: Config) -> Reading[list[Check]]:
    """Look whether rqlited answers for certain (level=strong) with rows, is its own leader and alone, and the core's child."""
    found = yield from _asked(role, config)
    node = str(config["core.id"])
    external = bool(config.get(f"{PART}external"))
    alone = "with others it is no single core's platform: such a move has steps of its own"
    expected: dict[str, Any] = {"leader": address(config), "nodes": [node]}
    observed: dict[str, Any] = {"leader": found["leader"], "nodes": sorted(found["nodes"])}
    if role is Role.DEST:  # a source that was moved before may have an old one stored, which does no harm
        expected["stored address"], observed["stored address"] = address(config), found["nodes"].get(node)
    return [
        equal("rqlited's raft", Witness.RECORD, expected, observed, len(found["nodes"]), why=alone),
        Check(f"rows of the platform on the {role}", Witness.SQL, "at least 1", found["rows"], found["rows"] > 0, found["rows"]),
        equal("rqlited is the core's own child", Witness.FILES, True, not external, why="one that is not is not moved with it"),
    ]


def closed_to_others(plan: Plan, role: Role, config: Config) -> Reading[Check]:
    """Look from the other host whether rqlited's ports can be reached; raises DeedFailed where not even the public port can."""
    other = next(one for one in Role if one is not role)
    public, wanted = str(plan.core.public_port), [str(port) for one in ports(config) for port in config.port(one) or (one,)]
    asked = python(other, "rqlite", "reach", str(plan.host(role).address), public, *wanted)
    answer = yield Ask(asked)
    found = answer.json()
    if found.pop(public) != "accepts":
        raise DeedFailed(f"the {other} cannot reach the {role}'s public port: what else it cannot reach tells nothing", answer)
    opened = [port for port, how in found.items() if how == "accepts"]
    why = "rqlited asks nobody for a password: who reaches it reads and writes the platform"
    remedy = "take core.ip out of a single core's config, or let the host's firewall close these ports"
    return equal(
        f"ports of the {role}'s rqlited open to the {other}", Witness.PROCESSES, [], opened, len(found), why=why, remedy=remedy
    )


def stays_closed(plan: Plan, source: Config) -> Check:
    """Check that the planned changes do not make rqlited listen at every address."""
    dest = source.changed(plan.planned_changes)
    observed = ["every address" if config.get("core.ip") else LOOPBACK for config in (source, dest)]
    why = "with core.ip set rqlited listens at every address, and asks nobody for a password"
    remedy = "take core.ip out of planned_changes"
    return equal("where rqlited listens: source, dest", Witness.FILES, [observed[0]] * 2, observed, 2, why=why, remedy=remedy)


def same_program(config: Config) -> Reading[Check]:
    """Look whether both hosts have the same rqlited where the config says, by what it says of itself."""
    path = str(config[f"{PART}binPath"])
    program = path if path.startswith("/") else f"{config.folder}/{path}"
    if config.container:
        return (yield from _same_image(program, config.container))
    asked = tuple(Ask(Command(role, ("sh", "-c", '"$0" -version 2>&1', program), exits=(0, 126, MISSING))) for role in Role)
    source, dest = ["none" if answer.exit else answer.text for answer in (yield asked)]
    why = "another rqlited may not read these files, or loses what this one kept"
    remedy = f"install it on the dest as {program}"
    return equal(f"{program} on the dest", Witness.FILES, source, dest, int(source != "none"), why=why, remedy=remedy)


def _same_image(program: str, container: Container) -> Reading[Check]:
    """Look whether the dest's container has the program from the same image; where it is mounted, its config's facts tell."""
    found = yield from of_image(container)
    why = "another rqlited may not read these files, or loses what this one kept"
    return equal(f"image that the dest's {program} is from", Witness.FILES, container.image, found, why=why)


# --- at rest


def stopped_whole(config: Config) -> Reading[list[Check]]:
    """Look whether the source's files are those of an rqlited that could end its close: its log there, no description empty."""
    there = ("-name", "raft.db", "-o", "-name", "meta.json")
    listed = yield Ask(Command(Role.SOURCE, ("find", folder(config), "(", *there, ")", "-printf", "%s %P\\n")))
    sizes = {path: int(size) for size, path in (text.split(" ", 1) for text in listed.lines)}
    why = "rqlited without its log starts empty, or with the rows of its last snapshot, and says nothing"
    empty = sorted(path for path, size in sizes.items() if not size)
    remedy = "unfreeze the source, start it, and stop it again"
    return [
        equal("the log of the platform's raft", Witness.FILES, "there", "there" if sizes.get("raft.db") else "not there", why=why),
        equal("empty files in the platform's folder", Witness.FILES, [], empty, len(sizes), why="it cannot start", remedy=remedy),
    ]


def rows_arrived(plan: Plan, config: Config) -> Reading[Check]:
    """Look whether the platform's table was read alike on both hosts, in private copies, at rest."""
    file = json.dumps({"file": f"{folder(config)}/db.sqlite"}).strip("{}")
    asked = tuple(Ask(Command(role, ("grep", "-F", "-m", "1", "--", file, kept(plan)), exits=(0, 1, 2))) for role in Role)
    tables = [(json.loads(answer.text)["tables"] if answer.text else {}).get(TABLE, [0, "none"]) for answer in (yield asked)]
    (rows, expected), (there, observed) = tables
    told = ({"rows": rows, "sha256": expected}, {"rows": there, "sha256": observed})
    why = "a platform without its rows starts, looks healthy, and gives known e-mail addresses away again"
    return equal("the platform's rows on both hosts", Witness.SQL, *told, there, why=why)


def rows_kept(plan: Plan, config: Config) -> Reading[Check]:
    """Look whether every row at rest is on the running dest, unchanged but for what a start and sign-ins write anew."""
    out = f"{plan.run_folder}/platform-rows"
    rest = python(Role.SOURCE, "rqlite", "rest", folder(config), out, timeout_s=LONGEST_S)
    running = python(Role.DEST, "rqlite", "rows", str(ports(config)[0]), out, timeout_s=LONGEST_S)
    yield (Ask(rest), Ask(in_its_network(config.container, running)))
    found = yield Compare(Command(Role.SOURCE, ("cat", out)), Command(Role.DEST, ("cat", out)))
    lost = [text.split()[0][:SHOWN_OF_A_KEY] for text in found.left_only]
    why = "a start that does not read all of its log, or another folder, has lost these"
    return equal(
        "rows of the source that the dest has not", Witness.SQL, [], lost, min(found.left_lines, found.right_lines), why=why
    )


# --- its stored address


def peers(config: Config) -> list[dict[str, object]]:
    """Return every member of the dest's raft: the core alone, at its new address."""
    return [{"id": str(config["core.id"]), "address": address(config), "non_voter": False}]


def store_address(dest: Config) -> Act:
    """Let the dest's rqlited find its new address at its next start; its clean_snapshot must go first, or rows may be lost."""
    says = f"write the address {address(dest)} into the platform's raft on the dest (peers.json), without clean_snapshot"
    yield Command(Role.DEST, ("sh", "-c", STORE, folder(dest)), input=json.dumps(peers(dest)).encode(), says=says)


def address_stored(dest: Config) -> Reading[Check]:
    """Look whether the dest's rqlited will start at its new address, with all of its rows."""
    answer = yield Ask(Command(Role.DEST, ("sh", "-c", f"{{ {STORED}; }} 2>/dev/null", folder(dest)), exits=(0, 1, WITH_SNAPSHOT)))
    name, expected = "members of the platform's raft at the dest's next start", peers(dest)
    if answer.exit == 1:
        return equal(name, Witness.FILES, expected, "as stored on the source", 0, absent=True)
    observed = "beside clean_snapshot" if answer.exit else json.loads(answer.text)
    return equal(name, Witness.FILES, expected, observed, why="with another address it is not found, or not alone, by others")
