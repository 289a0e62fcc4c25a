"""Cut-over by proxy: the source's nginx forwards every path to the dest, until the public name leads there itself.

The file that is changed is kept in the run folder before it is, and is what every rewriting begins with: an act that was cut short
is done again, and the way back is to put those bytes back.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.cutover import nginx
from harness.cutover.rewriting import HEADER, PUBLIC, Passing, Way, answers_for, passings, rewritten
from harness.deed import Ask, Command, CommandResult, Role
from harness.errors import DeedFailed, HalfDone, HarnessError
from harness.sending import claim

if TYPE_CHECKING:
    from collections.abc import Generator

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import ForwardPart, HostPart, Plan

PATIENCE_S = 15.0
ANY_EXIT = tuple(range(256))
PORTS = {"http.port": 3000, "http.hfsPort": 4000, "http.previewsPort": 3001}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# A file takes the place of the other in one step, with its owner and mode; links stay links. nginx's includes pass over dotfiles.
PUT = """
real=$(readlink -f -- "$0") && new="$(dirname -- "$real")/.pryv-migration.new" &&
{ [ ! -e "$real" ] || cp -p -- "$real" "$new"; } && cat > "$new" && sync "$new" && mv -f -- "$new" "$real"
"""
KEEP = """
mkdir -p -m 700 "$(dirname -- "$1")" &&
{ [ -e "$1" ] || { cp -p -- "$0" "$1.part" && sync "$1.part" && mv -- "$1.part" "$1"; }; }
"""

# When the file's folder was last changed, the time now, and since when each process runs.
LOADED = '{ stat -c %Y -- "$(dirname -- "$(readlink -f -- "$0")")" 2>/dev/null || echo 0; } && date +%s && ps -eo etimes=,args='
WORKER, ENDING, ROUNDED_S = "nginx: worker process", "shutting down", 2


def patience_s(_plan: Plan) -> float:
    """Return how long a reloaded nginx is given until its new workers answer."""
    return PATIENCE_S


def part_of(plan: Plan) -> ForwardPart:
    """Return the plan's part; raises HarnessError where the plan cuts over otherwise."""
    if plan.cutover.proxy is None:
        raise HarnessError("the plan says nothing of the source's proxy (cutover.proxy)")
    return plan.cutover.proxy


def _bracketed(host: HostPart) -> str:
    return f"[{host.address}]" if host.address.version == 6 else str(host.address)  # noqa: PLR2004 - IPv6


def way(plan: Plan, config: Config) -> Way:
    """Return from where to where the source's nginx is led."""
    part, source, dest = part_of(plan), _bracketed(plan.source), _bracketed(plan.dest)
    hosts = {*LOOPBACK, source, str(config.get("http.ip") or LOOPBACK[0])}
    ports = {int(config.get(key) or default) for key, default in PORTS.items()}
    core = frozenset(f"{host}:{port}" for host in hosts for port in ports)
    return Way(part.config_file, plan.core.public_name, core, f"{dest}:{plan.core.public_port}", f"{dest}:80", part.ca_file)


# --- what is there


def _show(plan: Plan, role: Role) -> Command:
    return Command(role, part_of(plan).show, private=True, says=f"read the {role}'s nginx configuration")


def _kept_path(plan: Plan) -> str:
    return f"{plan.run_folder}/proxy/original"


def _now(plan: Plan) -> Command:
    return Command(Role.SOURCE, ("cat", part_of(plan).config_file), private=True)


def _kept(plan: Plan) -> Command:
    return Command(Role.SOURCE, ("cat", _kept_path(plan)), exits=(0, 1), private=True)


def _text(answer: CommandResult) -> str:
    return answer.out.decode(errors="surrogateescape")


def _planned(plan: Plan, config: Config, shown: CommandResult, original: str) -> str:
    """Return the file's text that leads to the dest, made of what it was before this run; raises StandsInTheWay."""
    files, wanted = nginx.dumped(_text(shown)), way(plan, config)
    return rewritten({file: original if file == wanted.file else text for file, text in files.items()}, wanted)


def can_forward(plan: Plan, config: Config) -> Reading[list[Check]]:
    """Look whether the source's nginx can be made to lead to the dest; raises StandsInTheWay with every line in the way."""
    part = part_of(plan)
    shown, now, kept = yield (Ask(_show(plan, Role.SOURCE)), Ask(_now(plan)), Ask(_kept(plan)))
    original = _text(kept if kept.exit == 0 else now)
    diff = _diff(original, _planned(plan, config, shown, original))
    there = yield Ask(Command(Role.SOURCE, ("find", part.ca_file), exits=(0, 1)))
    why = "the dest's certificate could not be verified"
    return [
        Check("lines of the source's nginx that the cut-over will change", Witness.FILES, "some", diff, bool(diff), len(diff)),
        equal("authorities on the source", Witness.FILES, [part.ca_file], there.lines, why=why),
    ]


def _diff(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "kept", "now", lineterm="", n=0)
    return [line.encode(errors="replace").decode() for line in lines]


# --- the source's proxy leads to the dest


def _put(role: Role, path: str, text: str, says: str) -> Command:
    content = text.encode(errors="surrogateescape")
    return Command(role, ("sh", "-c", PUT, path), input=content, says=says)


def _tested(plan: Plan, role: Role, undo: Command) -> Generator[Any, Any, None]:
    """Let nginx test what was written, and load it; raises DeedFailed, with that undone, where nginx refuses it."""
    tested = yield Command(role, part_of(plan).test, exits=ANY_EXIT, says=f"let the {role}'s nginx test its configuration")
    if tested.exit:
        yield undo
        raise DeedFailed(f"the {role}'s nginx refuses the new configuration; the old one is back:\n{tested.tail()}", tested)
    yield Command(role, part_of(plan).reload, says=f"reload the {role}'s nginx")


def forward(plan: Plan, config: Config) -> Act:
    """Make the source's nginx lead to the dest: what was there is kept, the new text is tested, then loaded.

    Raises StandsInTheWay where that is not safe, HalfDone where somebody else has changed the file meanwhile.
    """
    file = part_of(plan).config_file
    shown, now, kept = yield (_show(plan, Role.SOURCE), _now(plan), _kept(plan))
    there = _text(now)
    original = _text(kept) if kept.exit == 0 else there
    new = _planned(plan, config, shown, original)
    if there not in {original, new}:
        raise HalfDone(f"{file} on the source is neither what it was nor what this run makes of it: somebody has changed it")
    yield Command(Role.SOURCE, ("sh", "-c", KEEP, file, _kept_path(plan)), says=f"keep {file} as it is, on the source")
    undo = _put(Role.SOURCE, file, original, f"put {file} back")
    yield _put(Role.SOURCE, file, new, f"make {file} lead to the dest")
    yield from _tested(plan, Role.SOURCE, undo)


def change_is_planned(plan: Plan, config: Config) -> Reading[Check]:
    """Look at the change of the source's nginx beside the one that is planned: the unified diff is in the record."""
    shown, now, kept = yield (Ask(_show(plan, Role.SOURCE)), Ask(_now(plan)), Ask(_kept(plan)))
    name, there = "the change of the source's nginx", _text(now)
    original = _text(kept) if kept.exit == 0 else there
    expected, observed = _diff(original, _planned(plan, config, shown, original)), _diff(original, there)
    return equal(name, Witness.FILES, expected, observed, len(expected), absent=not observed)


def every_location_leads(plan: Plan, config: Config, role: Role) -> Reading[Check]:
    """Look where every location of the source's nginx configuration leads, and whether its TLS is verified for the public name."""
    wanted = way(plan, config)
    tree = nginx.whole(nginx.dumped(_text((yield Ask(_show(plan, Role.SOURCE))))))
    found = [one for one in passings(tree) if _concerns(one, wanted)]
    titled = {f"{one.title} ({one.placed.directive.file.rsplit('/', 1)[-1]}:{one.placed.directive.line})": one for one in found}
    observed = {title: _told(one, wanted) for title, one in titled.items()}
    to_dest = f"verified TLS to {wanted.dest} as {wanted.public_name}, for the public Host, the client's address appended"
    if role is Role.DEST:
        why = "a location that is left leads to a core that is stopped; without verification anybody may stand in for the dest"
        expected: object = dict.fromkeys(observed, to_dest)
        not_yet = bool(found) and all(set(one.endpoints) <= wanted.core for one in found)
        return equal("where the source's locations lead", Witness.FILES, expected, observed, len(found), absent=not_yet, why=why)
    strays = {title: told for title, told in observed.items() if not set(titled[title].endpoints) <= wanted.core}
    return equal("locations of the source that lead elsewhere", Witness.FILES, {}, strays, len(found))


def _concerns(one: Passing, wanted: Way) -> bool:
    return answers_for(one.placed.block("server"), wanted.public_name)


def _told(one: Passing, wanted: Way) -> str:
    """Return where a location leads and how, in words; every setting that is not as it must be is named."""
    found = {name: one.placed.nearest(name) for name in wanted.tls}
    wrong = [f"{name} {' '.join(is_now.args) if is_now else 'not set'}"
             for name, is_now in found.items() if is_now is None or is_now.args != (wanted.tls[name],)]  # fmt: skip
    headers = {header.args[0].lower(): header.args[-1] for header in one.placed.all_nearest(HEADER)}
    if headers.get("host") not in PUBLIC:
        wrong.append(f"Host {headers.get('host')}")
    if headers.get("x-forwarded-for") != "$proxy_add_x_forwarded_for":
        wrong.append(f"X-Forwarded-For {headers.get('x-forwarded-for')}")
    to = ", ".join(one.endpoints)
    if one.scheme != "https" or wrong:
        return f"{one.scheme} to {to}; {', '.join(wrong)}"
    return f"verified TLS to {to} as {wanted.public_name}, for the public Host, the client's address appended"


# --- and back


def back(plan: Plan) -> Act:
    """Put back what the source's nginx had before this run, and load it."""
    kept, now = yield (_kept(plan), _now(plan))
    if kept.exit:
        raise HarnessError("there is nothing to put back: this run has kept no file of the source's nginx")
    file = part_of(plan).config_file
    yield _put(Role.SOURCE, file, _text(kept), f"put {file} back as it was before this run")
    yield from _tested(plan, Role.SOURCE, _put(Role.SOURCE, file, _text(now), f"put {file} back as it was found"))


def _loaded(role: Role, path: str) -> Reading[Check]:
    """Look whether nginx has workers that began after a file was put or removed: what they were told is what is written."""
    changed, now, *processes = (yield Ask(Command(role, ("sh", "-c", LOADED, path)))).lines
    rows = [line.split(maxsplit=1) for line in processes]
    began = [int(now) - int(age) for age, args in rows if args.startswith(WORKER) and ENDING not in args]
    held = bool(began) and max(began) >= int(changed) - ROUNDED_S
    told = "begun after the change" if held else "begun before the change" if began else "none runs"
    why = "nginx goes on as it was told before, whatever is written since"
    return Check(f"nginx's workers on the {role}", Witness.PROCESSES, "begun after the change", told, held, len(rows), why=why)


def is_back(plan: Plan) -> Reading[list[Check]]:
    """Look whether the file is byte for byte what it was before this run, and loaded; nothing of it kept: it was never changed."""
    kept, now = yield (Ask(_kept(plan)), Ask(_now(plan)))
    loaded = [(yield from _loaded(Role.SOURCE, part_of(plan).config_file))] if kept.exit == 0 else []
    diff = _diff(_text(kept), _text(now)) if kept.exit == 0 else []
    same = kept.exit != 0 or kept.out == now.out
    return [Check("the source's nginx beside what was kept", Witness.FILES, [], diff, same, len(now.out)), *loaded]


# --- the client's address


def _trust(plan: Plan) -> str:
    sources = [address for address in (plan.source.address, plan.source.address6) if address]
    lines = [f"set_real_ip_from {address};" for address in sources]
    return "\n".join([f"# made by {plan.change.id}: users come by the source", *lines, "real_ip_header X-Forwarded-For;", ""])


def trust(plan: Plan) -> Act:
    """Let the dest's nginx take a client's address from the source's, and from nobody else."""
    file = part_of(plan).trust_file
    there = yield Command(Role.DEST, ("cat", file), exits=(0, 1), private=True)
    if there.exit == 0 and _text(there) != _trust(plan):
        raise HalfDone(f"{file} on the dest is there already, and is not this run's")
    yield from claim(plan, Role.DEST, f"path {file}")
    yield _put(Role.DEST, file, _trust(plan), f"make {file}: trust the source for its clients' addresses")
    yield from _tested(plan, Role.DEST, _removed(plan))


def _removed(plan: Plan) -> Command:
    file = part_of(plan).trust_file
    return Command(Role.DEST, ("rm", "-f", "--", file), says=f"remove {file}")


def distrust(plan: Plan) -> Act:
    """Let the dest's nginx take a client's address from nobody any more."""
    yield _removed(plan)
    yield replace(Command(Role.DEST, part_of(plan).reload), says="reload the dest's nginx")


def trusts(plan: Plan, *, wanted: bool) -> Reading[list[Check]]:
    """Look whether the dest's nginx takes clients' addresses from the source only (or from nobody), and was told so."""
    written = yield from trusted(plan, wanted=wanted)
    return [written] if written.absent else [written, (yield from _loaded(Role.DEST, part_of(plan).trust_file))]


def trusted(plan: Plan, *, wanted: bool) -> Reading[Check]:
    """Look from whom the dest's nginx is to take clients' addresses, where it answers for the public name."""
    tree = nginx.whole(nginx.dumped(_text((yield Ask(_show(plan, Role.DEST))))))
    public = [one for one in nginx.walk(tree) if _is_public(one.directive, plan)]
    inside = [nginx.Placed(one.directive, (*one.around, one.directive)) for one in public]
    sources = sorted(str(address) for address in (plan.source.address, plan.source.address6) if address)
    observed = [_trusting(one) for one in inside]
    wanted_of_each = {"from": sources, "header": "X-Forwarded-For"} if wanted else {"from": [], "header": ""}
    expected = [wanted_of_each for _ in public]
    why = "whoever is trusted may give any address for his own; without the source each client's address would be the source's"
    name = "whom the dest's nginx trusts for clients' addresses"
    not_yet = wanted and not any(one["from"] for one in observed)
    return equal(name, Witness.FILES, expected, observed, len(public), absent=not_yet, why=why)


def _is_public(block: nginx.Directive, plan: Plan) -> bool:
    return block.name == "server" and answers_for(block, plan.core.public_name)


def _trusting(inside: nginx.Placed) -> dict[str, Any]:
    header = inside.nearest("real_ip_header")
    addresses = sorted(one.args[0] for one in inside.all_nearest("set_real_ip_from"))
    return {"from": addresses, "header": header.args[0] if header else ""}
