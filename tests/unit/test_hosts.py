"""Hosts and transports: which line reaches the shell, and how failures are told."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from harness.deed import Command, Role
from harness.errors import DeedFailed, HostKeyRefused, NotLetBecomeRoot, PlanError, Unreachable
from harness.host import Host, compare, line
from harness.plan import JumpPart, SshPart
from harness.run.performing import Performer
from harness.transport import Completed
from harness.transport.scripted import Scripted, UnexpectedCommandError
from harness.transport.ssh import Ssh, failure, options, pinned_keys, settled
from tests.plans import plan

PART = SshPart(host="old.example.com", port=2222, user="root", known_hosts="/tmp/known_hosts", identity_file="/tmp/id")


def host(script: Scripted, role: Role = Role.SOURCE) -> Host:
    return Host(role, PART, script, "/var/lib/pryv-migration/CHG1")


def test_arguments_reach_the_host_as_they_are() -> None:
    command = Command(Role.SOURCE, ("printf", "%s", "two words; $(reboot) 'x'"))

    assert line(command, PART) == """cd / && exec env LC_ALL=C.UTF-8 printf %s 'two words; $(reboot) '"'"'x'"'"''"""


def test_another_user_and_sudo_come_before_the_command() -> None:
    command = Command(Role.SOURCE, ("psql",), as_user="postgres")

    text = line(command, PART.model_copy(update={"become": "sudo"}))

    assert shlex.split(text)[:8] == ["cd", "/", "&&", "exec", "sudo", "-n", "--", "sh"]
    assert shlex.split(text)[9:14] == ['echo "pryv-migration: root now" >&2; exec "$@"', "as-root", "env", "LC_ALL=C.UTF-8", "sh"]
    assert text.endswith(" as-user postgres psql")


def by_sudo(answer: Completed) -> Host:
    return Host(Role.SOURCE, PART.model_copy(update={"become": "sudo"}), Scripted({"sudo": answer}), "/var/lib/pryv-migration/CHG1")


def test_what_sudo_says_itself_is_no_answer_of_the_command() -> None:
    found = by_sudo(Completed(1, err=b"sudo: unable to resolve host old\npryv-migration: root now\nnot there\n"))

    assert found.test(Command(Role.SOURCE, ("stat", "/x"))) is False
    assert found.attempt(Command(Role.SOURCE, ("stat", "/x"))).err == b"not there\n"


@pytest.mark.parametrize("said", [b"sudo: a password is required\n", b"root is not in the sudoers file.\n"])
def test_a_sudo_that_refuses_is_never_taken_for_no(said: bytes) -> None:
    with pytest.raises(NotLetBecomeRoot) as error:
        by_sudo(Completed(1, err=said)).test(Command(Role.SOURCE, ("stat", "/x")))

    assert str(error.value) == (
        f"source is unreachable while becoming root by sudo: {said.decode().strip()}; "
        'let root use it (in /etc/sudoers.d: "root ALL=(ALL) NOPASSWD: ALL"), or come as root'
    )


def test_what_the_plan_does_not_say_is_left_to_the_ssh_config() -> None:
    words = options(SshPart(host="old", known_hosts="/tmp/known_hosts", config_file="/tmp/config"), Path("/tmp/c"))

    assert words[:2] == ("-F", "/tmp/config")
    assert not {"-p", "-l"} & set(words)
    assert not [word for word in words if word.startswith(("HostName=", "User=", "Port=", "IdentityFile=", "ProxyJump=", "Proxy"))]


def test_a_jump_hosts_key_is_as_strictly_checked() -> None:
    jump = JumpPart(host="bastion", port=2200, user="ops", identity_file="/tmp/key")
    words = options(PART.model_copy(update={"jump": jump}), Path("/tmp/c"))

    [by] = [word.removeprefix("ProxyCommand=") for word in words if word.startswith("ProxyCommand=")]
    inner = shlex.split(by)
    assert {"StrictHostKeyChecking=yes", "UserKnownHostsFile=/tmp/known_hosts", "BatchMode=yes", "IdentityFile=/tmp/key"} <= set(
        inner
    )
    assert inner[-8:] == ["-p", "2200", "-l", "ops", "-W", "[%h]:%p", "--", "bastion"]


@pytest.fixture
def aliases(tmp_path: Path) -> Path:
    config = tmp_path / "config"
    config.write_text(
        "Host old\n HostName 192.0.2.10\n Port 2022\n User ada\n ProxyJump bastion\n"
        "Host new\n HostName 192.0.2.20\n HostKeyAlias new-key\n"
        "Host same\n HostName 192.0.2.10\n Port 2022\n"
    )
    return config


def aliased(aliases: Path, host: str, **more: object) -> SshPart:
    return SshPart.model_validate({"host": host, "config_file": str(aliases), "known_hosts": f"{aliases.parent}/known", **more})


def test_a_plan_is_settled_by_what_openssh_makes_of_its_aliases(aliases: Path) -> None:
    first = plan()
    source = first.source.model_copy(update={"ssh": aliased(aliases, "old")})
    dest = first.dest.model_copy(update={"ssh": aliased(aliases, "new", port=2222, user="root")})

    found = settled(first.model_copy(update={"source": source, "dest": dest}))

    assert (found.source.ssh.host, found.source.ssh.port, found.source.ssh.user) == ("old", 2022, "ada")
    assert (found.dest.ssh.host, found.dest.ssh.port, found.dest.ssh.user) == ("new", 2222, "root")


def test_two_names_of_one_host_are_no_move(aliases: Path) -> None:
    hosts = {"source": aliased(aliases, "old"), "dest": aliased(aliases, "same")}
    first = plan()
    both = {role: getattr(first, role).model_copy(update={"ssh": part}) for role, part in hosts.items()}

    with pytest.raises(PlanError, match=r"both 192\.0\.2\.10, port 2022"):
        settled(first.model_copy(update=both))


def test_pins_are_looked_up_as_openssh_does(aliases: Path) -> None:
    (aliases.parent / "known").write_text("[192.0.2.10]:2022 ssh-ed25519 AAAAold\nnew-key ssh-ed25519 AAAAnew\n")

    assert pinned_keys(aliased(aliases, "old")) == ("ssh-ed25519 AAAAold",)
    assert pinned_keys(aliased(aliases, "new")) == ("ssh-ed25519 AAAAnew",)


def test_keys_are_pinned_and_nothing_is_asked() -> None:
    words = options(PART, Path("/tmp/c"))

    assert {"StrictHostKeyChecking=yes", "UserKnownHostsFile=/tmp/known_hosts", "BatchMode=yes", "IdentitiesOnly=yes"} <= set(words)
    assert words[-4:] == ("-p", "2222", "-l", "root")


def test_the_three_verbs_differ_in_which_exit_codes_they_take() -> None:
    script = Scripted({"true": Completed(0), "false": Completed(1), "boom": Completed(2, err=b"it broke\n")})
    at = host(script)

    assert at.attempt(Command(Role.SOURCE, ("boom",))).exit == 2
    assert (at.test(Command(Role.SOURCE, ("true",))), at.test(Command(Role.SOURCE, ("false",)))) == (True, False)
    with pytest.raises(DeedFailed, match="it broke"):
        at.test(Command(Role.SOURCE, ("boom",)))
    with pytest.raises(DeedFailed, match="source\\$ boom\nexit 2") as error:
        at.run(Command(Role.SOURCE, ("boom",)))
    assert error.value.result.exit == 2  # type: ignore[attr-defined]


def test_the_tail_of_a_private_command_is_not_told() -> None:
    script = Scripted({"cat": Completed(1, b"secret", b"secret")})

    with pytest.raises(DeedFailed) as error:
        host(script).run(Command(Role.SOURCE, ("cat",), private=True))

    assert "secret" not in str(error.value)


def test_the_fake_raises_on_surprise() -> None:
    with pytest.raises(UnexpectedCommandError, match="reboot"):
        host(Scripted({"true": Completed(0)})).attempt(Command(Role.SOURCE, ("reboot",)))


def test_a_changed_host_key_is_an_error_of_its_own() -> None:
    assert isinstance(failure("source", "looking", b"Host key verification failed.\r\n"), HostKeyRefused)
    assert type(failure("source", "looking", b"Connection refused")) is Unreachable
    assert str(failure("source", "looking", b"Connection refused")) == "source is unreachable while looking: Connection refused"


def test_a_lasting_deed_is_begun_once_and_followed_to_its_end() -> None:
    waits: list[Completed | Exception] = [
        Completed(0, b'{"state": "running"}'),
        Completed(0, b'{"state": "done", "exit": 0, "out": "", "tail": "fine", "seconds": 2.5}'),
    ]
    script = Scripted({" start ": Completed(0, b'{"state": "running"}'), " wait ": waits})

    result = host(script).run(Command(Role.SOURCE, ("pg_dump",), lasting="dump"))

    assert (result.exit, result.seconds, result.tail()) == (0, 2.5, "fine")
    assert [text.split()[text.split().index("-") + 1 :][:2] for text in script.ran] == [
        ["start", "/var/lib/pryv-migration/CHG1/deeds/dump"],
        ["wait", "/var/lib/pryv-migration/CHG1/deeds/dump"],
        ["wait", "/var/lib/pryv-migration/CHG1/deeds/dump"],
    ]


def test_a_lasting_deed_whose_end_is_not_known_is_an_error_that_says_where_to_look() -> None:
    script = Scripted({" start ": Completed(0, b'{"state": "running"}'), " wait ": Completed(0, b'{"state": "lost"}')})

    with pytest.raises(DeedFailed, match="look at /var/lib/pryv-migration/CHG1/deeds/dump"):
        host(script).run(Command(Role.SOURCE, ("pg_dump",), lasting="dump"))


def test_two_outputs_are_compared_as_they_stream() -> None:
    left = host(Scripted({"sort": Completed(0, b"a\nb\nd\n")}))
    right = host(Scripted({"sort": Completed(0, b"b\nc\nd\ne\n")}), Role.DEST)
    sort = Command(Role.SOURCE, ("sort",))

    found = compare((left, sort), (right, sort))

    assert (found.left_only, found.right_only, found.left_lines, found.right_lines) == (("a",), ("c", "e"), 3, 4)


def test_a_stream_that_ends_badly_is_no_short_output() -> None:
    left = host(Scripted({"sort": Completed(2, b"a\n")}))
    right = host(Scripted({"sort": Completed(0, b"a\n")}), Role.DEST)
    sort = Command(Role.SOURCE, ("sort",))

    with pytest.raises(DeedFailed, match="exit 2"):
        compare((left, sort), (right, sort))


def test_a_host_that_does_not_answer_is_told_with_the_command_and_without_what_it_is_wrapped_in() -> None:
    silent = host(Scripted({"": Unreachable("source", "running cd / && exec env LC_ALL=C.UTF-8 true", "no route")}))

    with pytest.raises(Unreachable) as error:
        silent.holding(3).attempt(Command(Role.SOURCE, ("cat", "/etc/hostname")))

    assert str(error.value) == "source is unreachable while running cat /etc/hostname: no route"


def test_a_host_that_does_not_answer_at_the_end_is_asked_once_and_the_other_as_ever() -> None:
    refused = HostKeyRefused("dest", "running true", "another key")
    scripts = {Role.SOURCE: Scripted({"": Completed(0, b"yes")}), Role.DEST: Scripted({"": [refused, Completed(0)]})}
    performer = Performer(plan(), {role: host(script, role) for role, script in scripts.items()})

    performer.give_up()

    with pytest.raises(HostKeyRefused):
        performer.hosts[Role.DEST].attempt(Command(Role.DEST, ("true",)))
    assert performer.hosts[Role.SOURCE].attempt(Command(Role.SOURCE, ("true",))).text == "yes"


def test_ssh_that_has_given_up_starts_no_program(tmp_path: Path) -> None:
    ssh = Ssh("dest", SshPart(host="192.0.2.1", user="root", known_hosts=str(tmp_path / "none")))
    ssh.give_up(Unreachable("dest", "running true", "no route"))
    try:
        for ask in (lambda: ssh.execute("true"), lambda: ssh.forward("127.0.0.1", 5432)):
            with pytest.raises(Unreachable, match="no route"):
                ask()
    finally:
        ssh.close()
