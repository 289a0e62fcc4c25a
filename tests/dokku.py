"""A double of the dokku command, as Dokku 0.38.27 answers (read in its source: its programs are in no registry of Debian's).

It knows the commands that a move uses and refuses every other one in Dokku's own words. What it knows of apps is in the JSON file
$DOKKU_APPS: {app: {deployed, running, restore, scale, log, mounts, variables, image, scheduler}}. Its plugins are real: it runs the
hooks of $DOKKU_PLUGINS/enabled in the order of their names until one fails, as plugn does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

APPS = Path(os.environ["DOKKU_APPS"])
PLUGINS = Path(os.environ["DOKKU_PLUGINS"])
VERSION = os.environ.get("DOKKU_VERSION", "0.38.27")
NO_APP = 20
App = dict[str, Any]


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """Print as Dokku warns."""
    sys.stderr.write(f" !     {text}\n")


def fail(text: str, code: int = 1) -> NoReturn:
    """End as Dokku fails."""
    warn(text)
    sys.exit(code)


def trigger(hook: str, *words: str) -> int:
    """Run a hook of each enabled plugin until one fails; returns its code."""
    for plugin in sorted((PLUGINS / "enabled").iterdir()):
        if os.access(plugin / hook, os.X_OK) and (code := subprocess.run((plugin / hook, *words), check=False).returncode):
            return code
    return 0


def deploy(name: str, app: App) -> None:
    """Make the app's container: everything that does so asks the plugins first."""
    say(f"-----> Deploying {name} via the {app['scheduler']} scheduler...")
    if code := trigger("scheduler-deploy", app["scheduler"], name, "latest"):
        sys.exit(code)
    app.update(running=app["scale"] > 0, deployed=True, restore=True, log=[f"started: {' '.join(sys.argv[1:])}"])
    say("=====> Application deployed:")


def start(name: str, app: App) -> None:
    """ps:start: the hook pre-start, then a deploy unless it runs."""
    if not app["deployed"]:
        return warn(f"App {name} has not been deployed")
    if code := trigger("pre-start", name):
        fail(f"Failure in pre-start hook: exit status {code}")
    if app["running"]:
        return warn(f"App {name} already running")
    warn("App has been detected as not running, releasing")
    return deploy(name, app)


def stop(name: str, app: App) -> None:
    """ps:stop: what was stopped is not restored at boot."""
    if not app["deployed"]:
        return warn(f"App {name} has not been deployed")
    app.update(running=False, restore=False)
    return None


def restore(name: str, app: App) -> None:
    """ps:restore, which a boot runs."""
    if not app["restore"]:
        return warn(f"Skipping ps:restore for {name} as restore property is false")
    return start(name, app)


def set_(name: str, app: App, *words: str) -> None:
    """ps:set, of the property that a move sets."""
    if words[:1] != ("restore",):
        fail(f"Invalid property specified, valid properties include: {'restore'}")
    app["restore"] = words[1:] != ("false",)
    say(f"=====> Setting restore to {words[1]}" if words[1:] else "=====> Unsetting restore")
    del name


def scale(name: str, app: App, *words: str) -> None:
    """ps:scale of the web process, with a deploy where the app is deployed."""
    given = [word for word in words if word.startswith("web=")]
    app["scale"] = int(given[0].removeprefix("web="))
    if app["deployed"] and "--skip-deploy" not in words:
        deploy(name, app)


def flags(app: App, report: str) -> dict[str, str]:
    """Return what a report has, by its flags."""
    running = "true" if app["running"] else "false"
    return {
        "ps": {"--deployed": str(app["deployed"]).lower(), "--restore": str(app["restore"]).lower(), "--running": running},
        "scheduler": {"--scheduler-computed-selected": app["scheduler"]},
        "git": {"--git-source-image": app["image"]},
    }[report]


def report(kind: str, name: str, app: App, *words: str) -> None:
    """Print a report, or one value of it."""
    found = flags(app, kind)
    if words and words[0] not in found:
        fail(f"Invalid flag passed, valid flags: {', '.join(sorted(found))}")
    if words:
        say(found[words[0]])
        return
    say(f"=====> {name} {kind} information")
    for flag, value in sorted(found.items()):
        say(f"       {flag.removeprefix('--').replace('-', ' ').capitalize() + ':':31}{value}")


def logs(name: str, app: App, *words: str) -> None:
    """Print the last lines of the app's container: a hundred, unless a number is given."""
    if not app["deployed"]:
        fail(f"App {name} has not been deployed")
    count = int(words[words.index("--num") + 1]) if "--num" in words else 100
    say("\n".join(app["log"][-count:]))


def plugin(verb: str, name: str) -> None:
    """plugin:enable and plugin:disable."""
    link, there = PLUGINS / "enabled" / name, PLUGINS / "available" / name
    if verb == "plugin:enable" and link.exists():
        fail("Plugin already enabled")
    if verb == "plugin:disable" and not link.exists():
        fail("Plugin already disabled")
    if not there.exists():
        fail("Plugin does not exist")
    link.symlink_to(there) if verb == "plugin:enable" else link.unlink()
    say(f"-----> Plugin {name} {verb.removeprefix('plugin:')}d")


OF_APPS: dict[str, Callable[..., None]] = {
    "ps:start": start,
    "ps:stop": stop,
    "ps:restart": deploy,
    "ps:rebuild": deploy,
    "ps:restore": restore,
    "ps:set": set_,
    "ps:scale": scale,
    "ps:report": lambda *words: report("ps", *words),
    "scheduler:report": lambda *words: report("scheduler", *words),
    "git:report": lambda *words: report("git", *words),
    "storage:list": lambda _name, app, *words: say(json.dumps(app["mounts"]) if words == ("--format", "json") else ""),
    "config:export": lambda _name, app, *words: say(json.dumps(app["variables"]) if words == ("--format", "json") else ""),
    "proxy:build-config": lambda name, _app: say(f"-----> Configuring {name} using built-in nginx template"),
    "logs": logs,
}


def main(words: list[str]) -> int:
    """Answer one command."""
    if words == ["--version"]:
        say(f"dokku version {VERSION}")
        return 0
    if words[0] in {"plugin:enable", "plugin:disable"}:
        plugin(*words)
        return 0
    if words[0] not in OF_APPS:
        warn(f"`{' '.join(words)}` is not a dokku command.")
        warn("See `dokku help` for a list of available commands.")
        return 1
    apps = json.loads(APPS.read_text())
    name = next((word for word in words[1:] if word in apps), "")
    if not name:
        fail(f"App {words[-1]} does not exist", NO_APP)
    rest = [word for word in words[1:] if word != name]
    try:
        OF_APPS[words[0]](name, apps[name], *rest)
    finally:
        APPS.write_text(json.dumps(apps))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
