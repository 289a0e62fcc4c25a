"""Hosts and transports: which line reaches the shell, and how failures are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.deed import Command, Role
from harness.errors import DeedFailed, HostKeyRefused, Unreachable
from harness.host import Host, compare, line
from harness.plan import SshPart
from harness.transport import Completed
from harness.transport.scripted import Scripted, UnexpectedCommandError
from harness.transport.ssh import failure, options

PART = SshPart(host="old.example.com", port=2222, known_hosts="/tmp/known_hosts", identity_file="/tmp/id")


def host(script: Scripted, role: Role = Role.SOURCE) -> Host:
    return Host(role, PART, script, "/var/lib/pryv-migration/CHG1")


def test_arguments_reach_the_host_as_they_are() -> None:
    command = Command(Role.SOURCE, ("printf", "%s", "two words; $(reboot) 'x'"))

    assert line(command, PART) == """cd / && exec env LC_ALL=C.UTF-8 printf %s 'two words; $(reboot) '"'"'x'"'"''"""


def test_another_user_and_sudo_come_before_the_command() -> None:
    command = Command(Role.SOURCE, ("psql",), as_user="postgres")

    text = line(command, PART.model_copy(update={"become": "sudo"}))

    assert text.startswith("cd / && exec sudo -n -- env LC_ALL=C.UTF-8 sh -c ")
    assert text.endswith(" as-user postgres psql")


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
