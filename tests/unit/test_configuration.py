"""The core's config on its hosts: found, read with the core's own precedence, edited only where the plan says, and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness import configuration
from harness.check import Check, Outcome
from harness.configuration import ConfigError, Place, edited, edits, effective, is_secret, transfer
from harness.configuration.sources import KEPT_FROM, PLANNED, RUNNING, UNKNOWN, sources
from harness.deed import Ask, Command, CommandResult, Keep, Learn, Reading, Role
from harness.roots import DataRoot, data_roots
from harness.run.driving import drive
from tests.plans import CONFIG, CONTENT, plan

APP = "/opt/pryv/app"
OVERRIDE = f"{APP}/config/override-config.yml"
DEFAULT = f"{APP}/config/default-config.yml"
PRODUCTION = f"{APP}/config/production-config.yml"
FILE = "/etc/pryv/override.yml"
MASTER = ["node", f"{APP}/bin/master.js"]
KEY = b"key of the run"


def process(*argv: str, cwd: str = APP, **environment: str) -> dict[str, Any]:
    """Return a running master as the host tells it."""
    environ = [f"{name}={text}" for name, text in environment.items()]
    return {"pid": 7, "argv": [*MASTER, *argv], "environ": ["PATH=/usr/bin", *environ], "cwd": cwd}


@dataclass
class Hosts:
    """Two hosts with files and at most one master each; what is learnt and kept is remembered."""

    source: Mapping[str, str | bytes]
    dest: Mapping[str, str | bytes] = field(default_factory=dict)
    running: dict[str, Any] | None = None
    dest_running: dict[str, Any] | None = None
    kept: Any = None
    modes: Mapping[str, str] = field(default_factory=dict)
    learnt: set[str] = field(default_factory=set)

    def read(self, reading: Reading[Any]) -> Any:  # noqa: ANN401 - what the reading returns
        """Drive a reading."""
        return drive(reading, self.one)

    def one(self, asked: Any) -> Any:  # noqa: ANN401 - any observation
        """Answer one observation."""
        match asked:
            case tuple():
                return [self.one(part) for part in asked]
            case Learn():
                self.learnt |= {secret.value for secret in asked.secrets}
            case Keep():
                self.kept = asked.content
            case Ask(Command() as command):
                return self._answer(command)
            case _:
                raise AssertionError(asked)
        return None

    def _answer(self, command: Command) -> CommandResult:
        files = self.source if command.host is Role.SOURCE else self.dest
        text: dict[str, Callable[[], str | bytes]] = {
            "python3": lambda: self._told(command.host),
            "find": lambda: "\n".join(self._found(files, command.argv)),
            "cat": lambda: files[command.argv[1]],
            "stat": lambda: "\n".join(f"{self.modes.get(path, 'pryv 600')} {path}" for path in command.argv[4:]),
            "sh": lambda: "\n".join(self._summed(files, command.argv)),
        }
        out = text[command.argv[0]]()
        return CommandResult(command, 0, out if isinstance(out, bytes) else out.encode(), b"", 0.0)

    def _told(self, host: Role) -> str:
        running = self.running if host is Role.SOURCE else self.dest_running
        return json.dumps({"running": [running] if running else [], "kept": self.kept if host is Role.SOURCE else None})

    @staticmethod
    def _found(files: Mapping[str, str | bytes], argv: tuple[str, ...]) -> Iterator[str]:
        """Find as `find -H PLACE… -maxdepth 1` does."""
        places = [word.rstrip("/") for word in argv[2 : argv.index("-maxdepth")]]
        yield from (path for path in files if path in places or path.rpartition("/")[0] in places)

    @staticmethod
    def _summed(files: Mapping[str, str | bytes], argv: tuple[str, ...]) -> Iterator[str]:
        for path, text in files.items():
            if any(path == one or path.startswith(f"{one}/") for one in argv[4:]):
                raw = text if isinstance(text, bytes) else text.encode()
                yield path if "sha256sum" not in argv[2] else f"{hashlib.sha256(raw).hexdigest()}  {path}"


def of(files: Mapping[str, str | bytes], running: dict[str, Any] | None = None, kept: object = None) -> Any:  # noqa: ANN401 - a Config
    """Return the effective config of a source with these files."""
    return Hosts(files, running=running, kept=kept).read(effective(plan(), Role.SOURCE))


# --- which files are read, and what wins


def test_the_config_file_wins_over_the_defaults_and_the_override_over_both() -> None:
    config = of({OVERRIDE: "http: {port: 9000}\n", FILE: CONFIG + "http: {ip: 10.0.0.1, port: 3001}\n"})

    assert (config["http.port"], config["http.ip"], config["http.hfsPort"]) == (9000, "10.0.0.1", 4000)
    assert config.files == (OVERRIDE, FILE)


LAYERS = {
    DEFAULT: "z: {a: 1, b: 1, c: 1, d: 1, e: 1}\n",
    PRODUCTION: "z: {a: 2, b: 2, c: 2, d: 2}\n",
    "/etc/pryv/given.yml": "z: {a: 3, b: 3, c: 3, d: 3}\n",
    OVERRIDE: "z: {a: 6}\n",
}


@pytest.mark.parametrize(
    ("argv", "environment", "values", "files"),
    [
        ((), {}, "61111", [OVERRIDE]),
        ((), {"NODE_ENV": "production"}, "62221", [OVERRIDE, PRODUCTION]),
        (("--NODE_ENV=production",), {}, "62221", [OVERRIDE, PRODUCTION]),
        (("--config", "/etc/pryv/given.yml"), {"NODE_ENV": "production"}, "63331", [OVERRIDE, "/etc/pryv/given.yml"]),
        (("--config=../../../etc/pryv/given.yml",), {}, "63331", [OVERRIDE, "/etc/pryv/given.yml"]),
        ((), {"config": "/etc/pryv/given.yml"}, "63331", [OVERRIDE, "/etc/pryv/given.yml"]),
        (("--config", "/etc/pryv/missing.yml"), {"NODE_ENV": "production"}, "61111", [OVERRIDE]),
        (("--z:b=5",), {"z__b": "4", "z__c": "4", "NODE_ENV": "production"}, "65421", [OVERRIDE, PRODUCTION]),
        (("--z.a=5", "--z:a=5"), {"z__a": "4"}, "61111", [OVERRIDE]),
    ],
)
def test_sources_win_as_on_the_real_core(argv: tuple[str, ...], environment: dict[str, str], values: str, files: list[str]) -> None:
    hosts = Hosts(LAYERS, running=process(*argv, **environment))
    whole = hosts.read(sources(plan(), Role.SOURCE))
    config = whole.config(Role.SOURCE)

    assert "".join(str(config[f"z.{key}"]) for key in "abcde") == values
    assert list(config.files) == files


def test_a_tree_that_ships_defaults_has_its_own_paths_in_place_of_those_to_replace() -> None:
    shipped = "storages: {engines: {sqlite: {path: 'REPLACE ME'}, filesystem: {previewsDirPath: 'REPLACE ME'}}}\n"
    config = of({DEFAULT: shipped, FILE: "storages: {engines: {filesystem: {previewsDirPath: /data/previews}}}\n"})

    assert config["storages.engines.sqlite.path"] == f"{APP}/var-pryv/users"
    assert config["storages.engines.filesystem.previewsDirPath"] == "/data/previews"
    assert config["customExtensions.defaultFolder"] == f"{APP}/custom-extensions"


def test_no_config_at_all_is_none_and_several_files_are_refused_unless_the_start_tells_which() -> None:
    two = {"/etc/pryv/a.yml": "a: 1", "/etc/pryv/b.yml": "a: 2"}

    assert Hosts({}).read(effective(plan(), Role.DEST)) is None
    with pytest.raises(ConfigError, match="the source has several config files"):
        of(two)
    assert of(two, process("--config", "/etc/pryv/b.yml"))["a"] == 2


def test_a_core_that_is_configured_by_its_environment_alone_has_a_config_without_files() -> None:
    config = of({}, process(service__serial='"20260611"', http__port="3001"))

    assert (config["service.serial"], config["http.port"], config.files) == (20260611, 3001, ())


def test_a_missing_key_names_the_files_that_were_read() -> None:
    with pytest.raises(ConfigError, match=r"no mail\.host \(read: /etc/pryv/override\.yml\)"):
        of({FILE: CONFIG})["mail.host"]


def test_an_override_that_names_another_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=f"{OVERRIDE} on the source names another config file"):
        of({OVERRIDE: "config: /etc/pryv/other.yml\n"})


# --- how the core was started


def test_what_the_start_says_is_kept_without_other_variables_and_its_secrets_are_learnt_at_once() -> None:
    running = process("--auth:adminAccessKey=argument-secret", platform__piiHmacKey="variable-secret", AWS_TOKEN="not-ours")
    hosts = Hosts({FILE: CONFIG}, running=running)

    config = hosts.read(effective(plan(), Role.SOURCE))

    assert hosts.kept == {
        "argv": ["--auth:adminAccessKey=argument-secret"],
        "environment": {"platform__piiHmacKey": "variable-secret"},
        "folder": APP,
    }
    assert {"argument-secret", "variable-secret", "secret-password"} <= hosts.learnt
    assert "secret" not in repr(config)
    assert config.known == RUNNING


def test_once_the_core_is_stopped_its_start_is_known_from_what_was_kept() -> None:
    kept = {"argv": ["--http:port=9001"], "environment": {"http__ip": "10.0.0.1"}, "folder": APP}
    config = of({FILE: CONFIG}, kept=kept)

    assert (config["http.port"], config["http.ip"], config.known) == (9001, "10.0.0.1", KEPT_FROM)


def test_a_secret_that_is_overruled_is_learnt_too() -> None:
    hosts = Hosts({OVERRIDE: "auth: {adminAccessKey: winning-secret}\n"}, running=process(auth__adminAccessKey="losing-secret"))
    hosts.read(effective(plan(), Role.SOURCE))

    assert {"winning-secret", "losing-secret"} <= hosts.learnt


def test_where_no_core_runs_the_plans_start_command_may_tell_its_arguments() -> None:
    command = {**CONTENT["core"]["command"], "start": [*MASTER, "--config", "/etc/pryv/b.yml"]}
    planned = plan(core={**CONTENT["core"], "command": command})
    hosts = Hosts({"/etc/pryv/a.yml": "a: 1", "/etc/pryv/b.yml": "a: 2"})

    config = hosts.read(effective(planned, Role.SOURCE))

    assert (config["a"], config.known) == (2, PLANNED)


KEPT = {"argv": ["--config", FILE], "environment": {}, "folder": APP}


@pytest.mark.parametrize(
    ("running", "kept", "known", "outcome"),
    [(process(), None, RUNNING, "held"), (None, KEPT, KEPT_FROM, "held"), (None, None, UNKNOWN, "not held")],
)
def test_a_start_that_nobody_has_seen_is_red(running: dict[str, Any] | None, kept: object, known: str, outcome: str) -> None:
    check = Hosts({FILE: CONFIG}, running=running, kept=kept).read(configuration.start_is_known(plan()))

    assert (check.observed, check.outcome) == (known, outcome)


def test_two_masters_and_a_start_that_may_not_be_read_are_errors() -> None:
    def perform(exit_code: int, out: str) -> Any:  # noqa: ANN401 - what reads
        return lambda asked: CommandResult(asked.of, exit_code, out.encode(), b"", 0.0)

    two = json.dumps({"running": [process(), process()], "kept": None})
    with pytest.raises(ConfigError, match="the source runs 2 masters of the core"):
        drive(effective(plan(), Role.SOURCE), perform(0, two))
    with pytest.raises(ConfigError, match="/proc/7/environ on the source may not be read"):
        drive(effective(plan(), Role.SOURCE), perform(5, "/proc/7/environ"))


def test_odd_bytes_in_the_environment_are_an_error_that_names_where_and_no_value() -> None:
    running = process(auth__adminAccessKey="secret\udcff")

    with pytest.raises(ConfigError) as error:
        of({FILE: CONFIG}, running)

    assert "/proc/7/environ on the source is not UTF-8" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_config_that_cannot_be_looked_for_is_an_error_and_never_absent() -> None:
    def perform(asked: Any) -> CommandResult:  # noqa: ANN401 - any observation
        if asked.of.argv[0] == "python3" or "-I" in asked.of.argv:
            return CommandResult(asked.of, 0, b'{"running": [], "kept": null}', b"", 0.0)
        return CommandResult(asked.of, 1, b"", b"find: '/etc/pryv/': Permission denied\n", 0.0)

    with pytest.raises(ConfigError, match=r"the dest's config cannot be looked for: .*Permission denied"):
        drive(effective(plan(), Role.DEST), perform)


# --- the edit


def test_an_edit_keeps_comments_and_everything_else() -> None:
    text = edited(CONFIG, {"core.ip": "203.0.113.20", "new.key": 1})

    assert text.startswith("# the core's own config\n")
    assert "core: {id: single, ip: 203.0.113.20}" in text
    assert "new:\n  key: 1" in text


def test_a_planned_change_goes_into_the_file_that_wins_for_it() -> None:
    changes = {"core.ip": "203.0.113.20", "http.ip": "203.0.113.20", "cluster.apiWorkers": 2, "dns.port": 53}
    hosts = Hosts(
        {OVERRIDE: "http: {ip: 203.0.113.10}\n", FILE: CONFIG}, running=process("--config", FILE, cluster__apiWorkers="4")
    )

    found = hosts.read(edits(plan(planned_changes=changes)))

    assert {edit.path: edit.changes for edit in found} == {
        OVERRIDE: {"http.ip": "203.0.113.20"},
        FILE: {"core.ip": "203.0.113.20", "dns.port": 53},
    }
    deeds = list(transfer(plan(planned_changes=changes), found))
    sent = [deed.argv[-1] for deed in deeds if isinstance(deed, Command) and deed.argv[0] == "rsync"]
    assert [target.partition(":")[2] for target in sent] == ["/etc/pryv/", OVERRIDE]


def test_data_that_lie_in_the_configs_folder_are_no_part_of_it() -> None:
    inside = (Place("storages.engines.sqlite.path", "/etc/pryv/data/users"), Place("other", "/var/lib/pryv"))

    sent = [deed.argv for deed in transfer(plan(), (), inside) if isinstance(deed, Command) and deed.argv[0] == "rsync"]

    assert [[word for word in argv if word.startswith("--exclude")] for argv in sent] == [["--exclude=/data/users"]]


def test_a_planned_change_without_a_file_and_a_file_that_is_not_sent_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"planned change of core\.ip has no file"):
        Hosts({}, running=process(service__serial="1")).read(edits(plan()))
    found = Hosts({"/srv/core.yml": CONFIG}, running=process("--config", "/srv/core.yml")).read(edits(plan()))
    with pytest.raises(ConfigError, match=r"/srv/core\.yml, which is in none of core\.config_paths"):
        list(transfer(plan(), found))


# --- both hosts


MOVED = edited(CONFIG, {"core.ip": "203.0.113.20"})


def both(dest: str, check: Any, source: str = CONFIG, **more: Any) -> Any:  # noqa: ANN401 - what the check returns
    """Return what a comparison with the source's config says of a dest with this one."""
    hosts = Hosts({FILE: source}, {FILE: dest}, **more)
    return hosts.read(check(plan(), hosts.read(effective(plan(), Role.SOURCE))))


def differences(dest: str) -> Check:
    """Return the check of the differences."""
    found: Check = both(dest, configuration.differs_only_as_planned)
    return found


def test_exactly_the_planned_changes_hold() -> None:
    check = differences(MOVED)

    assert (check.outcome, check.expected, check.observed) == (
        Outcome.HELD,
        {"core.ip": "203.0.113.20"},
        {"core.ip": "203.0.113.20"},
    )
    assert check.examined > 10


@pytest.mark.parametrize(
    "changes",
    [{}, {"core.ip": "203.0.113.99"}, {"core.ip": "203.0.113.20", "core.id": "other"}, {"core.ip": "203.0.113.20", "extra": 1}],
)
def test_a_missing_a_wrong_and_another_change_are_red(changes: dict[str, object]) -> None:
    assert differences(edited(CONFIG, changes)).outcome is Outcome.NOT_HELD


def test_a_value_of_another_type_is_a_difference() -> None:
    assert differences(MOVED.replace('serial: "2026112501"', "serial: 2026112501")).observed["service.serial"] == 2026112501


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("admin-key-of-thirty-two-characters", "another-key-of-thirty-two-chars", "(a secret, differs)"),
        ("auth: {adminAccessKey: admin-key-of-thirty-two-characters}\n", "", "(a secret, missing)"),
    ],
)
def test_a_secret_that_differs_is_told_without_its_value_and_with_what_breaks(old: str, new: str, told: str) -> None:
    check = differences(MOVED.replace(old, new))

    assert check.observed["auth.adminAccessKey"] == told
    assert check.why == "auth.adminAccessKey: administration answers 404, which is misread as a missing route"


def test_no_config_on_the_dest_is_absent_and_not_a_difference() -> None:
    hosts = Hosts({FILE: CONFIG})

    check = hosts.read(configuration.differs_only_as_planned(plan(), hosts.read(effective(plan(), Role.SOURCE))))

    assert check.outcome is Outcome.ABSENT


def test_what_the_start_says_is_expected_of_the_dest_with_the_planned_changes_in_it() -> None:
    running = process("--config", FILE, core__ip="203.0.113.10", http__port="9000")

    check = both(CONFIG, configuration.differs_only_as_planned, running=running)

    assert (check.outcome, check.observed) == (Outcome.HELD, {"core.ip": "203.0.113.20"})


def test_secrets_are_compared_by_keyed_digests_in_lists_and_urls_too() -> None:
    source = CONFIG + "mail: {url: 'https://bot:url-secret@mail.example'}\nhooks: [{secret: hook-secret}]\n"

    def look(dest: str) -> Check:
        found: Check = both(dest, lambda plan, config: configuration.secrets_are_equal(plan, config, KEY), source)
        return found

    assert look(source).outcome is Outcome.HELD
    assert sorted(look(source).expected) == ["auth.adminAccessKey", "hooks", "mail.url", "storages.engines.postgresql.password"]
    for secret in ("secret-password", "url-secret", "hook-secret"):
        red = look(source.replace(secret, "made-anew"))
        assert red.outcome is Outcome.NOT_HELD
        assert "secret" not in json.dumps([red.expected, red.observed]).replace("auth", "")


def test_what_names_the_core_is_compared_key_by_key_with_what_breaks() -> None:
    source = CONFIG + "platform: {piiMode: hashed, piiHmacKey: pii-secret}\ncustom: {systemStreams: {account: [{id: email}]}}\n"
    dest = source.replace("pii-secret", "made-anew").replace("core: {id: single", "core: {id: other")

    found = both(dest, lambda plan, config: configuration.named_keys_are_the_same(plan, config, KEY), source)

    red = {check.name: check.why for check in found if check.outcome is not Outcome.HELD}
    assert red == {
        "core.id": "core.id: the platform then lists two cores, and users are counted, or looked for, on one that is gone",
        "platform.piiHmacKey": "platform.piiHmacKey: e-mail addresses are no longer unique and nobody is told",
    }
    assert {"platform.piiMode", "custom.systemStreams.account", "auth.adminAccessKey", "service.serial"} <= {
        one.name for one in found
    }
    assert "pii-secret" not in str(found)


def test_a_forgotten_override_is_red_whatever_it_says_and_an_unread_file_is_not() -> None:
    def files(dest: dict[str, str]) -> Check:
        hosts = Hosts({FILE: CONFIG}, dest, running=process("--config", FILE))
        source = hosts.read(effective(plan(), Role.SOURCE))
        found: Check = hosts.read(configuration.no_override_wins(plan(), source))
        return found

    assert files({FILE: MOVED}).outcome is Outcome.HELD
    assert files({FILE: MOVED, PRODUCTION: "a: 1"}).outcome is Outcome.HELD
    assert files({FILE: MOVED, OVERRIDE: "{}"}).observed == [OVERRIDE, FILE]
    assert files({FILE: MOVED, OVERRIDE: "{}"}).outcome is Outcome.NOT_HELD


@pytest.mark.parametrize(
    ("mode", "owner", "rights"), [("pryv 600", "held", "held"), ("root 600", "not held", "held"), ("pryv 640", "held", "not held")]
)
def test_files_with_secrets_and_private_keys_belong_to_the_core_alone(mode: str, owner: str, rights: str) -> None:
    dest = {FILE: MOVED + "http: {ssl: {keyFile: /etc/pryv/tls/node.key, certFile: /etc/pryv/tls/node.crt}}\n"}
    dest |= {"/etc/pryv/tls/node.key": "key", PRODUCTION: "http: {port: 9000}\n"}
    hosts = Hosts({FILE: CONFIG}, dest, modes={"/etc/pryv/tls/node.key": mode}, running=process("--config", FILE))

    found = hosts.read(configuration.only_the_core_reads(plan()))

    assert [check.outcome for check in found] == [owner, rights]
    assert [list(check.expected) for check in found] == [[FILE, "/etc/pryv/tls/node.key"]] * 2


def test_files_that_the_config_names_must_arrive_with_their_content() -> None:
    named = CONFIG.replace("service: {", "service: {eventTypes: 'file:///etc/pryv/flat.json', ")
    named += "customExtensions: {defaultFolder: /opt/extensions}\nhttp: {ssl: {keyFile: /etc/pryv/node.key}}\n"
    files = {"/etc/pryv/flat.json": "{}", "/opt/extensions/a.js": "1", "/opt/extensions/b/c.js": "2", "/etc/pryv/node.key": "key"}

    def outcomes(dest: dict[str, str]) -> dict[str, Outcome]:
        hosts = Hosts({FILE: named, **files}, {FILE: named, **dest}, running=process("--config", FILE))
        source = hosts.read(effective(plan(), Role.SOURCE))
        found = hosts.read(configuration.named_files_arrived(plan(), source, KEY))
        assert hashlib.sha256(b"key").hexdigest()[:12] not in str(found)
        return {check.name.partition(":")[0]: check.outcome for check in found}

    held, red = Outcome.HELD, Outcome.NOT_HELD
    keys = ("http.ssl.keyFile", "customExtensions.defaultFolder", "service.eventTypes")
    assert outcomes(files) == dict.fromkeys(keys, held)
    assert outcomes({**files, "/opt/extensions/b/c.js": "3"}) == dict(zip(keys, (held, red, held), strict=True))
    assert outcomes({}) == dict.fromkeys(keys, red)


def test_the_dest_core_must_run_as_the_source_did_but_for_the_planned_changes() -> None:
    kept = {
        "argv": ["--config", FILE],
        "environment": {"core__ip": "203.0.113.10", "auth__adminAccessKey": "key-one"},
        "folder": APP,
    }

    def look(dest: dict[str, Any] | None) -> Check:
        hosts = Hosts({FILE: CONFIG}, {FILE: CONFIG}, kept=kept, dest_running=dest)
        found: Check = hosts.read(configuration.launched_as_the_source(plan()))
        return found

    same = {"core__ip": "203.0.113.20", "auth__adminAccessKey": "key-one"}
    assert look(process("--config", FILE, **same)).outcome is Outcome.HELD
    assert look(None).outcome is Outcome.ABSENT
    other = look(process("--http:port=1", **{**same, "auth__adminAccessKey": "key-two"}, cwd="/"))
    assert other.outcome is Outcome.NOT_HELD
    assert other.observed == {
        "argument config": "(not set)",
        "argument http.port": 1,
        "environment auth.adminAccessKey": "(a secret, differs)",
        "folder": "/",
    }
    assert "administration answers 404" in other.why


# --- secrets, engines, places


def test_secrets_are_known_by_the_last_word_of_their_key() -> None:
    keys = ("auth.adminAccessKey", "a.b.password", "platform.piiHmacKey", "headers.Authorization", "invitationTokens")
    others = ("http.port", "keys.count", "services.email.enabled.resetPassword.x")

    assert [is_secret(key) for key in (*keys, *others)] == [True] * 5 + [False] * 3


def test_a_switch_that_is_named_as_a_secret_is_none() -> None:
    assert of({FILE: "services: {email: {enabled: {resetPassword: true}}}\n"}).secrets() == ()


def test_engines_and_the_places_of_data_are_read_from_the_config() -> None:
    config = of({FILE: CONFIG + "letsEncrypt: {enabled: true, tlsDir: var-pryv/tls}\n"}, process("--config", FILE))
    rqlite = config.changed({"storages.platform.engine": "rqlite", "storages.engines.rqlite.dataDir": "var-pryv/rqlite-data"})

    assert config.engines() == {"base": "postgresql", "platform": "postgresql", "series": "postgresql", "audit": "sqlite"}
    assert [(place.path, place.cache) for place in config.data_places()] == [
        ("/var/lib/pryv/data/users", False),
        ("/var/lib/pryv/data/previews", True),
        (f"{APP}/var-pryv/tls", False),
    ]
    assert f"{APP}/var-pryv/rqlite-data" in [place.path for place in rqlite.data_places()]


def test_data_roots_are_the_shared_folder_or_each_on_its_own() -> None:
    config = of({FILE: CONFIG})
    apart = config.changed({"storages.engines.filesystem.previewsDirPath": "/var/cache/previews"})

    assert data_roots(config)[0] == DataRoot("/var/lib/pryv/data", ("/previews/*", "*-shm"))
    assert [root.path for root in data_roots(apart)] == ["/var/lib/pryv/data/users", "/var/cache/previews"]
