"""A core that runs as a container of its host's Docker engine.

The fence: no restart policy, and another name. Neither a boot nor `docker start NAME` starts it then; the name keeps the policy
that it had. What makes a container anew (docker run, docker compose up) is not fenced by that: then only the database's role is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.deed import Command

if TYPE_CHECKING:
    from harness.deed import Role
    from harness.plan.model import DockerControl

FENCED = "-fenced-"
GRACE_S = 30
NONE = 1  # the command's code where there is no such container: whether it is stopped is looked at
POLICY = "{{.HostConfig.RestartPolicy.Name}}{{with .HostConfig.RestartPolicy.MaximumRetryCount}}.{{.}}{{end}}"
# Sets id and name of the container called $1, or fenced ($2 is a pattern of both names); empty where there is none.
FIND = (
    'found=$(docker ps -a --no-trunc --filter "name=$2" --format "{{.ID}} {{.Names}}") || exit 4; '
    'id=${found%% *}; name=${found#* }; [ "$(printf "%s\\n" "$found" | wc -l)" = 1 ] || '
    '{ echo "several containers are called $1" >&2; exit 4; }'
)
STATUS = (
    FIND + '; [ -n "$id" ] || { echo "stopped: no container"; exit 3; }; '
    'told=$(docker inspect -f "{{.State.Running}} {{.HostConfig.RestartPolicy.Name}}" "$id") || exit 4; '
    'case ${told#* } in always|unless-stopped) boot="enabled (${told#* })" ;; *) boot=disabled ;; esac; '
    'case $name in "$1") fence= ;; *) fence=", fenced" ;; esac; '
    'case $told in true*) echo "running$fence, $boot"; exit 0 ;; esac; echo "stopped$fence, $boot"; exit 3'
)
FENCE = (
    FIND + '; [ -n "$id" ] || { echo "there is no container $1" >&2; exit 1; }; if [ "$name" = "$1" ]; then '
    f'policy=$(docker inspect -f "{POLICY}" "$id") && docker rename "$id" "$1{FENCED}${{policy:-no}}" || exit; fi; '
    'docker update --restart=no "$id"'
)
UNFENCE = (
    FIND + '; [ -n "$id" ] || { echo "there is no container $1" >&2; exit 1; }; [ "$name" != "$1" ] || exit 0; '
    f'docker update --restart="$(printf "%s" "${{name#"$1{FENCED}"}}" | tr . :)" "$id" && docker rename "$id" "$1"'
)
ENABLE = (
    FIND + '; case $(docker inspect -f "{{.HostConfig.RestartPolicy.Name}}" "$id") in '
    'always|unless-stopped) ;; *) docker update --restart="$3" "$id" ;; esac'
)
# A policy that starts nothing at a boot (on-failure) stays as it is.
DISABLE = (
    f'{FIND}; [ -n "$id" ] || {{ echo "there is no container $1" >&2; exit 1; }}; '
    'case $(docker inspect -f "{{.HostConfig.RestartPolicy.Name}}" "$id") in '
    'always|unless-stopped) docker update --restart=no "$id" ;; esac'
)
LOGS = 'docker logs "$1" 2>&1'


def pattern(name: str) -> str:
    """Return the pattern of a container's name as it is, and as it is when it is fenced."""
    return f"^/?{name.replace('.', '[.]')}({FENCED}[a-z0-9.-]+)?$"


def fenced_as(name: str) -> str:
    """Return the restart policy that a fenced container had, by its name; nothing of one that is not fenced."""
    return name.rpartition(FENCED)[2].replace(".", ":") if FENCED in name else ""


class ByDocker:
    """A core controlled by `docker`, under the name of its container."""

    def __init__(self, part: DockerControl) -> None:
        self._name = part.container

    def _by(self, role: Role, script: str, *more: str, exits: tuple[int, ...] = (0,)) -> Command:
        return Command(role, ("sh", "-c", script, "docker", self._name, pattern(self._name), *more), exits=exits)

    def start(self, role: Role) -> Command:
        """Return `docker start`."""
        return Command(role, ("docker", "start", self._name))

    def stop(self, role: Role) -> Command:
        """Return `docker stop`; its own ten seconds are what a core may need itself, before it ends its rqlited."""
        return Command(role, ("docker", "stop", "-t", str(GRACE_S), self._name), timeout_s=2.0 * GRACE_S, exits=(0, NONE))

    def status(self, role: Role) -> Command:
        """Return the command that tells whether it runs, is fenced, and starts at boot."""
        return self._by(role, STATUS, exits=(0, 3))

    def logs(self, role: Role) -> Command:
        """Return `docker logs`, both streams as one."""
        return self._by(role, LOGS, exits=(0, 1))

    def fence(self, role: Role) -> Command:
        """Return the command that takes its name and its restart policy away."""
        return self._by(role, FENCE)

    def unfence(self, role: Role) -> Command:
        """Return the command that gives them back, as they were."""
        return self._by(role, UNFENCE)

    def enable(self, role: Role) -> Command:
        """Return the command that gives it a restart policy by which a boot starts it, unless it has one."""
        return self._by(role, ENABLE, "unless-stopped")

    def disable(self, role: Role) -> Command | None:
        """Return the command that takes a restart policy away by which a boot starts it."""
        return self._by(role, DISABLE)
