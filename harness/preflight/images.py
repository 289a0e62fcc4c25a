"""The image of a core that runs as a container: whether the dest can run it, and how it gets there, the same by its id.

Pulled, it is asked for by its digest, which a registry cannot give to anything else. Copied, it is a file that goes the way of all
files of this move, and is removed on both hosts once it is loaded. Its tag follows it, as a container is made by that.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.container import demanded, described, describing, parsed
from harness.deed import Ask, Command, Role
from harness.preflight.dest import FREE
from harness.roots import data_roots
from harness.sending import LONGEST_COPY_S, send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.configuration import Config
    from harness.container import Container, Mount
    from harness.deed import Act, CommandResult, Reading
    from harness.plan import Plan

ENGINE = ("docker", "version", "--format", "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}")
PLATFORM = "{{.Os}}/{{.Architecture}}"
IMAGE = "{{.Id}} {{len .RootFS.Layers}}"
ROOT = ("docker", "info", "--format", "{{.DockerRootDir}}")
DIGESTS = "{{range .RepoDigests}}{{.}} {{end}}"
OLDEST = 20
# Counts the files at or below $1 that are in none of the other folders; none where nothing is there.
REST = """top=$1; shift; [ -e "$top" ] || { echo 0; exit 0; }
for path; do set -- "$@" -path "$path" -prune -o; shift; done; find "$top" "$@" -type f -print | wc -l"""
LONGEST_LOOK_S = 600.0
VOLUME = "volume"
NONE = 1  # docker's code for what is not there
SAVE = 'umask 077; mkdir -p "$(dirname "$0")" && docker save -o "$0.part" "$1" && mv "$0.part" "$0"'
# What a core's container may write in itself without a loss: it is made anew by each start, or serves nobody.
PASSING = ("/tmp", "/run", "/var/run", "/var/tmp", "/dev", "/proc", "/sys", "/root/.npm", "/root/.cache", "/root/.bash_history")  # noqa: S108 - told of, not written
KINDS = ("bind", "volume", "tmpfs")
ANONYMOUS = 64  # digits in the name of a volume that nobody named


def _asked(role: Role, *argv: str) -> Ask:
    return Ask(Command(role, argv))


def _of_image(role: Role, image: str, form: str, exits: tuple[int, ...] = (0,)) -> Command:
    return Command(role, ("docker", "image", "inspect", "--format", form, image), exits=exits)


def _reference(container: Container) -> str:
    """Return what the container's image is called: a tag, or what else it was made by."""
    return str(container.told["Config"]["Image"])


# --- before anything is touched


def engines_fit(plan: Plan) -> Reading[list[Check]]:
    """Look whether both hosts' engines answer, can run the source's image, and keep volumes at the same place."""
    container = demanded((yield from described(plan, Role.SOURCE)))
    source, dest = yield tuple(Ask(Command(role, ENGINE)) for role in Role)
    versions = [answer.text.split()[0] for answer in (source, dest)]
    old = [version for version in versions if int(version.split(".")[0]) < OLDEST]
    platform = (yield Ask(_of_image(Role.SOURCE, container.image, PLATFORM))).text
    roots = [answer.text for answer in (yield tuple(_asked(role, *ROOT) for role in Role))]
    why = "an image runs on what it was built for"
    place = "a volume's data arrive where the source's are: let the dest's engine keep its own there too (data-root)"
    return [
        Check("Docker engines", Witness.PROCESSES, f"version {OLDEST} or newer on both", versions, not old, 2, 2),
        equal("what the image is built for", Witness.PROCESSES, platform, dest.text.split()[1], why=why),
        equal("where the dest's engine keeps volumes", Witness.PROCESSES, *roots, remedy=place),
        *(yield from _digest_is_known(plan, container)),
        (yield from _room(plan, container, roots[1])),
    ]


def _room(plan: Plan, container: Container, kept: str) -> Reading[Check]:
    """Look for room for the image where the dest's engine keeps images, and for its file on both hosts where it is copied."""
    size = int((yield Ask(_of_image(Role.SOURCE, container.image, "{{.Size}}"))).text) // 1024
    there = yield Ask(_of_image(Role.DEST, container.image, IMAGE, exits=(0, NONE)))
    copied = [(role, plan.run_folder) for role in Role] if plan.dest.install == "copy-image" else []
    places = [(Role.DEST, kept), *copied]
    answers = yield tuple(Ask(Command(role, ("sh", "-c", FREE, "-Pk", path))) for role, path in places)
    free = {f"{role}: {path}": int(answer.text.split()[3]) for (role, path), answer in zip(places, answers, strict=True)}
    enough, wanted = min(free.values()) >= size or there.exit == 0, f"at least {size} each, unless the dest has it already"
    return Check("room for the image, kB", Witness.FILES, wanted, free, enough, len(free), remedy="make room there")


def _digest_is_known(plan: Plan, container: Container) -> Reading[list[Check]]:
    """Look, where the image is to be pulled, whether the source knows by which digest."""
    if plan.dest.install != "pull-image":
        return []
    digest = yield from _digest(container, Ask)
    remedy = "it did not come from a registry: let it be copied (dest.install: copy-image)"
    return [
        Check("digest of the image in its registry", Witness.PROCESSES, "known", digest or "none", bool(digest), 1, remedy=remedy)
    ]


def _digest(container: Container, asked: Any) -> Any:  # noqa: ANN401 - of a look by Ask, of an act by itself
    """Return the digest of the container's image in the registry that its reference names, else in any; or nothing."""
    told: CommandResult = yield asked(_of_image(Role.SOURCE, container.image, DIGESTS))
    digests = told.text.split()
    repository = _reference(container).partition("@")[0]
    named = [one for one in digests if repository.startswith(one.partition("@")[0])]
    return next(iter([*named, *digests]), "")


def alone(changed: Iterable[str], inside: Iterable[str]) -> list[str]:
    """Return the files that a container has changed in itself, of `docker diff`'s lines; where something is mounted, none are.

    A folder is told by what is in it.
    """
    paths = [line.split(" ", 1)[1] for line in changed]
    above = {str(parent) for path in (*paths, *inside) for parent in PurePosixPath(path).parents}
    ours = [path for path in paths if path not in above and path not in set(inside)]
    return sorted(path for path in ours if not any(path == one or path.startswith(f"{one}/") for one in PASSING))


def nothing_alone(plan: Plan) -> Reading[list[Check]]:
    """Look whether the source's container outlives its stop, and neither it nor a volume holds what would not be carried over."""
    container = demanded((yield from described(plan, Role.SOURCE)))
    changed = (yield _asked(Role.SOURCE, "docker", "diff", container.id)).lines
    kept = not container.told["HostConfig"].get("AutoRemove")
    mounts = container.mounts
    left = alone(changed, [one.inside for one in mounts])
    strange = [f"{one.inside}: {one.kind}" for one in mounts if one.kind not in KINDS]
    drivers = {
        one["Destination"]: one["Driver"] for one in container.told["Mounts"] if one.get("Driver") not in {"local", "", None}
    }
    removed = "with --rm it is removed when it is stopped, with its anonymous volumes: make it anew without"
    copied = (
        "copy them out (docker cp) to a place that is mounted, and make the container anew; or accept that they are lost (--waive)"
    )
    return [
        equal(
            "the source's container once it is stopped", Witness.PROCESSES, "kept", "kept" if kept else "removed", remedy=removed
        ),
        equal(
            "files in the source's container alone", Witness.FILES, [], left, len(changed) + 1, why="lost with it", remedy=copied
        ),
        equal("mounts that are not carried over", Witness.FILES, [[], {}], [strange, drivers], max(len(mounts), 1)),
    ]


def mounts_are_carried(plan: Plan, config: Config) -> Reading[list[Check]]:
    """Look whether what the source's container has of its host arrives: by the config, as data, or as it is on the dest already.

    A volume that nobody named is told: its data are carried over as those of any other place that the config names.
    """
    container = demanded((yield from described(plan, Role.SOURCE)))
    mounts = [one for one in container.mounts if one.host]
    carried = [path.rstrip("/") for path in (*plan.core.config_paths, *(root.path for root in data_roots(config)))]
    counting = [("sh", "-c", REST, "rest", one.host, *_inside(one.host, carried)) for one in mounts]
    there = yield tuple(Ask(Command(Role.SOURCE, argv, timeout_s=LONGEST_LOOK_S)) for argv in counting)
    here = yield tuple(Ask(Command(Role.DEST, argv, timeout_s=LONGEST_LOOK_S)) for argv in counting)
    found = zip(mounts, there, here, strict=True)
    lost = {one.inside: f"{count.text} file(s)" for one, count, other in found if int(count.text) and not int(other.text)}
    anonymous = {one.inside: _named(one, carried) for one in mounts if one.kind == VOLUME}
    why = "what the config does not name stays behind: a volume of an earlier database, certificates, hooks"
    remedy = "bring them to the dest yourself, or name their folder in core.config_paths; or accept that they stay (--waive)"
    name = "files in mounts that would stay behind"
    told = Check(
        "volumes of the source's container", Witness.FILES, "each is known", anonymous, held=True, examined=len(mounts) + 1
    )
    return [equal(name, Witness.FILES, {}, lost, max(len(mounts), 1), why=why, remedy=remedy), told]


def _inside(host: str, carried: Iterable[str]) -> tuple[str, ...]:
    """Return which of the folders that arrive lie in a mount, or the mount itself where it lies in one of them."""
    around = [host for path in carried if f"{host.rstrip('/')}/".startswith(f"{path}/")]
    return tuple(around[:1]) or tuple(path for path in carried if path.startswith(f"{host.rstrip('/')}/"))


def _named(mount: Mount, carried: Iterable[str]) -> str:
    called = "nobody named it" if len(mount.name) == ANONYMOUS else mount.name
    return f"{called}; {'carried over' if _inside(mount.host, carried) else 'the config keeps nothing there'}"


# --- the image


def pull_image(plan: Plan) -> Act:
    """Let the dest pull the source's image by its digest, unless it has it; and give it its tag there."""
    container, there = yield from _both(plan)
    if not there:
        digest = yield from _digest(container, lambda command: replace(command, says="look for the image's digest"))
        pulled = Command(Role.DEST, ("docker", "pull", "-q", digest), lasting="image-pull", timeout_s=LONGEST_COPY_S)
        yield replace(pulled, says=f"pull {digest} on the dest")
    yield from _called(container)


def copy_image(plan: Plan) -> Act:
    """Send the source's image to the dest as a file, unless it has it, and remove the file; give it its tag there."""
    container, there = yield from _both(plan)
    if not there:
        path = f"{plan.run_folder}/image/image.tar"
        argv = ("sh", "-c", SAVE, path, container.image)
        save = Command(Role.SOURCE, argv, lasting="image-save", timeout_s=LONGEST_COPY_S)
        yield replace(save, says="write the image to a file on the source (docker save)")
        yield send(plan, path, lasting="image-send")
        load = Command(Role.DEST, ("docker", "load", "-q", "-i", path), lasting="image-load", timeout_s=LONGEST_COPY_S)
        yield replace(load, says="load the image on the dest (docker load)")
    for role in Role:
        yield Command(role, ("rm", "-rf", "--", f"{plan.run_folder}/image"), says=f"remove the image's file on the {role}")
    yield from _called(container)


def _both(plan: Plan) -> Any:  # noqa: ANN401 - a part of an act
    """Return the source's container, and whether the dest has its image."""
    told = yield replace(describing(plan, Role.SOURCE), says="look at the source's container")
    container = demanded(parsed(told))
    there = yield replace(_of_image(Role.DEST, container.image, IMAGE, exits=(0, NONE)), says="look for the image on the dest")
    return container, there.exit == 0


def _called(container: Container) -> Act:
    """Give the image on the dest the tag that the source's container was made by, where that is one."""
    image, reference = container.image, _reference(container)
    if "@" not in reference and not reference.startswith("sha256:") and reference != image.removeprefix("sha256:"):
        yield Command(Role.DEST, ("docker", "tag", image, reference), says=f"call the image {reference} on the dest")


def same_image(plan: Plan) -> Reading[list[Check]]:
    """Look whether what the source's image is called is the same image on the dest, by its id."""
    container = demanded((yield from described(plan, Role.SOURCE)))
    source = yield Ask(_of_image(Role.SOURCE, container.image, IMAGE))
    dest = yield Ask(_of_image(Role.DEST, _reference(container), IMAGE, exits=(0, NONE)))
    expected, layers = source.text.split()
    observed = "no such image" if dest.exit else dest.text.split()[0]
    why = "another image is another core: its first start may change the database for good"
    return [equal("image of the core", Witness.FILES, expected, observed, int(layers), absent=bool(dest.exit), why=why)]
