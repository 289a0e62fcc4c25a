"""The unit of a core: read as systemd reads it, changed as planned, compared on both hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness import configuration, preflight
from harness.configuration.sources import UNIT
from harness.configuration.units import Text, Unit, assignments, directives, planned
from harness.deed import Ask, Command, CommandResult, Role
from harness.errors import HalfDone
from harness.preflight.units import to_write
from harness.run.driving import drive
from tests.plans import CONFIG, CONTENT, plan

NAME = "pryv-core.service"
FRAGMENT = f"/etc/systemd/system/{NAME}"
DROP_IN = f"{FRAGMENT}.d/limits.conf"
FENCE = f"{FRAGMENT}.d/zz-pryv-migration-fence.conf"
VARIABLES = "/etc/default/pryv-core"
UNIT_TEXT = """\
[Unit]
Description=The core
# ExecStart=/bin/false
After=network.target postgresql.service

[Service]
User=pryv
Group=pryv
WorkingDirectory=/opt/pryv/app
Environment=NODE_ENV=production "core__ip=203.0.113.10"
EnvironmentFile=-/etc/default/pryv-core
ExecStart=/usr/bin/node bin/master.js \\
  --config "/etc/pryv/override.yml"
Restart=always

[Install]
WantedBy=multi-user.target
"""
FILE = "# the core's\nlogs__console__active=true\nNODE_OPTIONS='--max-old-space-size=2048'\n"
PLAN = plan(
    core={
        **{key: value for key, value in CONTENT["core"].items() if key != "command"},
        "deploy": "systemd",
        "systemd": {"unit": "pryv-core"},
    }
)
ON_SOURCE = {FRAGMENT: UNIT_TEXT, DROP_IN: "[Service]\nLimitNOFILE=65536\n", VARIABLES: FILE}
ON_DEST = {
    **ON_SOURCE,
    FRAGMENT: UNIT_TEXT.replace('NODE_ENV=production "core__ip=203.0.113.10"', '"NODE_ENV=production" "core__ip=203.0.113.20"'),
}
MASTERS = '{"running": [], "kept": null}'


def host(files: dict[str, str], **said: str) -> dict[str, Any]:
    """Return a host: its files, and what systemd says of the unit."""
    there = FRAGMENT in files
    drop_ins = " ".join(path for path in files if path.startswith(f"{FRAGMENT}.d/"))
    told = {
        "LoadState": "loaded" if there else "not-found",
        "Id": NAME,
        "FragmentPath": FRAGMENT if there else "",
        "DropInPaths": drop_ins,
    }
    return {
        "files": files,
        "said": {
            **told,
            "NeedDaemonReload": "no",
            "UnitFileState": "enabled",
            "StandardOutput": "journal",
            "TriggeredBy": "",
            **said,
        },
    }


def told(on: dict[str, Any], argv: tuple[str, ...], naming: str) -> tuple[int, str]:
    """Return a host's exit code and answer."""
    if argv[0] == "getent":
        return (0, f"{argv[2]}:x:999") if argv[2] == "pryv" else (2, "")
    if argv[0] == "sh":
        text = on["files"].get(argv[3])
        return (0, naming) if len(argv) > 4 else (4, "") if text is None else (0, f"644\n{text}")
    shown = "\n".join(f"{key}={value}" for key, value in on["said"].items())
    return 0, {"systemctl": shown, "find": "/etc/pryv/override.yml", "cat": CONFIG, "python3": MASTERS}[argv[0]]


def answering(source: dict[str, Any], dest: dict[str, Any], naming: str = "1") -> Callable[[Any], Any]:
    """Return what answers as both hosts do."""

    def answer(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, tuple):
            return [answer(one) for one in wanted]
        if not isinstance(wanted, Ask):
            return None
        command = wanted.of
        assert isinstance(command, Command)
        code, out = told(source if command.host is Role.SOURCE else dest, command.argv, naming)
        return CommandResult(command, code, out.encode(), b"", 0.0)

    return answer


def of(files: dict[str, str]) -> Unit:
    """Return a unit of these files."""
    texts = {path: Text(text, "644") for path, text in files.items()}
    return Unit(NAME, {}, {path: text for path, text in texts.items() if path != VARIABLES}, {VARIABLES: texts[VARIABLES]})


# --- how a unit is read


def test_a_units_lines_are_read_without_comments_and_continued_ones_joined() -> None:
    assert list(directives("[Service]\nA = b \\\n# between\n  c\n;d=e\nno line\nA=\n")) == [
        ("Service", "A", "b    c"),
        ("Service", "A", ""),
    ]


def test_an_empty_value_takes_those_before_it_away() -> None:
    unit = of({**ON_SOURCE, DROP_IN: "[Service]\nExecStart=\nExecStart=-/usr/bin/node bin/master.js --http:port=9000\n"})

    assert unit.values("ExecStart") == ["-/usr/bin/node bin/master.js --http:port=9000"]
    assert (unit.process() or {})["argv"] == ["/usr/bin/node", "bin/master.js", "--http:port=9000"]


def test_a_unit_starts_its_core_with_its_words_its_variables_and_its_folder() -> None:
    assert of(ON_SOURCE).process() == {
        "pid": NAME,
        "argv": ["/usr/bin/node", "bin/master.js", "--config", "/etc/pryv/override.yml"],
        "environ": [
            "NODE_ENV=production",
            "core__ip=203.0.113.10",
            "logs__console__active=true",
            "NODE_OPTIONS=--max-old-space-size=2048",
        ],
        "cwd": "/opt/pryv/app",
    }


@pytest.mark.parametrize(
    "said",
    ["ExecStart=/usr/bin/node /srv/%i/bin/master.js", "ExecStart=/usr/bin/node bin/master.js $ARGUMENTS", "ExecStart=/usr/bin/run"],
)
def test_what_a_unit_starts_is_not_guessed(said: str) -> None:
    assert of({**ON_SOURCE, DROP_IN: f"[Service]\nExecStart=\n{said}\n"}).process() is None


def test_variables_in_quotes_are_what_stands_in_them() -> None:
    text = "A=plain text \nB=\"a b\"'c'\n # no\nC=it's\n"

    assert dict(assignments(text)) == {"A": "plain text", "B": "a bc", "C": "it's"}


# --- what is planned


def test_only_the_variables_that_say_a_planned_change_are_changed() -> None:
    changes = {"core.ip": "203.0.113.20", "http.port": 9000, "logs.console.active": False}

    assert planned(UNIT_TEXT, changes) == ON_DEST[FRAGMENT]
    assert planned(FILE, changes, environment_file=True) == FILE.replace("active=true", 'active="false"')
    assert planned("Environment=core__id=a\n", changes) == "Environment=core__id=a\n"
    assert planned("[Service]\nEnvironment=core__ip=a \\\n  B=c\n", changes) == (
        '[Service]\nEnvironment="core__ip=203.0.113.20" \\\n  B=c\n'
    )


def test_the_dest_gets_the_unit_in_etc_its_drop_ins_and_the_files_that_do_not_come_with_the_config() -> None:
    packaged = {f"/usr/lib/systemd/system/{NAME}": UNIT_TEXT, "/run/systemd/system/service.d/limits.conf": "", VARIABLES: FILE}
    with_config = Unit(NAME, {}, of(packaged).files, {"/etc/pryv/env": Text("A=b\n", "600")})

    assert list(to_write(PLAN, of(packaged))) == [FRAGMENT, DROP_IN, VARIABLES]
    assert list(to_write(PLAN, with_config)) == [FRAGMENT, DROP_IN]


def test_a_unit_is_written_with_its_mode_once_it_is_claimed_and_another_is_left_alone() -> None:
    done: list[Any] = []
    source, other = of(ON_SOURCE), Unit(NAME, {"LoadState": "loaded"}, {}, {})
    drive(preflight.install_unit(PLAN, source, Unit(NAME, {"LoadState": "not-found"}, {}, {}), set()), done.append)

    assert [deed.argv[3:] for deed in done if deed.private] == [(FRAGMENT, "644"), (DROP_IN, "644"), (VARIABLES, "644")]
    assert [deed.argv[-1] for deed in done if deed.argv[0] == "sh" and not deed.private] == [
        f"path {path}" for path in (FRAGMENT, DROP_IN, VARIABLES)
    ]
    assert done[-1].argv == ("systemctl", "daemon-reload")
    with pytest.raises(HalfDone, match=r"the dest has a unit pryv-core.service"):
        drive(preflight.install_unit(PLAN, source, other, set()), done.append)
    drive(preflight.install_unit(PLAN, source, other, {f"path {FRAGMENT}"}), done.append)


def test_a_unit_that_this_run_made_is_forgotten_and_no_other() -> None:
    done: list[Any] = []
    drive(preflight.forget_unit(PLAN, {f"path {FRAGMENT}"}), done.append)
    drive(preflight.forget_unit(PLAN, set()), done.append)
    drive(preflight.forget_unit(plan(), {f"path {FRAGMENT}"}), done.append)

    assert [deed.argv[3:] for deed in done] == [(f"{FRAGMENT}.d",)]


@pytest.mark.parametrize(("known", "outcome"), [("", "held"), (f"/usr/lib/systemd/system/{NAME}", "held"), (FRAGMENT, "not held")])
def test_a_removed_unit_that_systemd_still_knows_is_told(known: str, outcome: str) -> None:
    def perform(asked: Any) -> CommandResult:  # noqa: ANN401 - any observation
        return CommandResult(asked.of, 0, known.encode(), b"", 0.0)

    [check] = drive(preflight.unit_is_forgotten(PLAN, {f"path {FRAGMENT}"}), perform)
    assert check.outcome == outcome
    assert drive(preflight.unit_is_forgotten(PLAN, set()), perform) == []


# --- what is looked at


def outcomes(reading: Any, perform: Callable[[Any], Any]) -> list[tuple[object, str]]:  # noqa: ANN401 - any look
    found = drive(reading, perform)
    return [(check.observed, str(check.outcome)) for check in (found if isinstance(found, list) else [found])]


def test_the_same_unit_is_told_from_another() -> None:
    fenced = {**ON_SOURCE, FENCE: f"[Unit]\nAssertPathExists=!{FENCE}\n"}
    longer = {**ON_DEST, DROP_IN: "[Service]\nLimitNOFILE=1024\n"}
    other = {**ON_DEST, VARIABLES: FILE.replace("true", "false")}
    told = {
        name: outcomes(preflight.unit_is_the_same(PLAN), answering(host(fenced), host(files)))
        for name, files in {"same": ON_DEST, "unplanned": ON_SOURCE, "longer": longer, "other": other, "none": {}}.items()
    }

    assert told == {
        "same": [("no", "held"), ([], "held"), ([], "held")],
        "unplanned": [("no", "held"), ([], "held"), (["variable core__ip"], "not held")],
        "longer": [("no", "held"), (["Service.LimitNOFILE"], "not held"), ([], "held")],
        "other": [("no", "held"), ([], "held"), (["variable logs__console__active"], "not held")],
        "none": [("no such unit on the dest", "absent")],
    }


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ({}, True),
        ({"UnitFileState": "disabled"}, True),
        ({"UnitFileState": "static"}, False),
        ({"NeedDaemonReload": "yes"}, False),
        ({"Id": "pryv.service"}, False),
        ({"LoadState": "masked"}, False),
        ({"StandardOutput": "append"}, True),
        ({"StandardOutput": "null"}, False),
    ],
)
def test_a_unit_that_systemd_has_not_read_or_that_a_boot_cannot_start_is_red(said: dict[str, str], *, held: bool) -> None:
    checks = drive(preflight.unit_can_be_moved(PLAN), answering(host(ON_SOURCE, **said), host({})))

    assert [check.held for check in checks] == [held, True, True]


def test_a_planned_change_in_a_units_command_or_in_a_file_among_the_config_is_red() -> None:
    command = {**ON_SOURCE, DROP_IN: "[Service]\nExecStart=\nExecStart=/usr/bin/node bin/master.js --core:ip=203.0.113.10\n"}
    file = {**ON_SOURCE, DROP_IN: "[Service]\nEnvironmentFile=/etc/pryv/env\n", "/etc/pryv/env": "core__ip=203.0.113.10\n"}

    for files in (command, file):
        checks = drive(preflight.unit_can_be_moved(PLAN), answering(host(files), host({})))
        assert (checks[2].observed, checks[2].held) == (["core.ip"], False)


@pytest.mark.parametrize(("said", "observed"), [("User=pryv", "pryv"), ("User=", "root"), ("User=node", "node")])
def test_a_unit_of_another_user_than_the_plans_is_red(said: str, observed: str) -> None:
    files = {**ON_SOURCE, DROP_IN: f"[Service]\n{said}\n"}
    check = drive(preflight.unit_can_be_moved(PLAN), answering(host(files), host({})))[1]

    assert (check.observed, check.held) == (observed, observed == "pryv")


def test_what_starts_the_core_beside_its_unit_is_told() -> None:
    alone = answering(host(ON_SOURCE), host({}), f"{FRAGMENT}\n41")
    timed = answering(host(ON_SOURCE, TriggeredBy="pryv-core.timer"), host({}), f"{FRAGMENT}\n/etc/cron.d/pryv\n42")

    assert outcomes(preflight.nothing_else_starts_it(PLAN), alone) == [([], "held"), ([], "held")]
    assert outcomes(preflight.nothing_else_starts_it(PLAN), timed) == [
        (["pryv-core.timer"], "not held"),
        (["/etc/cron.d/pryv"], "not held"),
    ]


def test_whom_the_unit_runs_the_core_as_must_be_known_on_the_dest() -> None:
    other = {**ON_SOURCE, DROP_IN: "[Service]\nGroup=health\n"}

    assert outcomes(preflight.users_of_unit_are_known(PLAN), answering(host(ON_SOURCE), host({}))) == [([], "held")]
    assert outcomes(preflight.users_of_unit_are_known(PLAN), answering(host(other), host({}))) == [(["health"], "not held")]


def test_the_start_of_a_core_that_nobody_saw_run_is_known_from_its_unit() -> None:
    perform = answering(host(ON_SOURCE), host({}))
    config = drive(configuration.of_source(PLAN), perform)

    assert (config.known, config["core.ip"], config["logs.console.active"], config.folder) == (
        UNIT,
        "203.0.113.10",
        True,
        "/opt/pryv/app",
    )
    assert drive(configuration.start_is_known(PLAN), perform).held
