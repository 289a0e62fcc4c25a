"""Data roots: every place of data that the config names is moved, and none of what is moved otherwise is overwritten."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from harness.configuration import Config
from harness.configuration.values import flat
from harness.deed import Command, Measured, Role
from harness.files import belong_to_core, measure, transfer
from harness.roots import DataRoot, data_roots, found_at_rest, why_not
from tests.plans import CONFIG, plan

CORE = Config(flat(yaml.safe_load(CONFIG)), ("override.yml",))
RQLITE = {"storages.platform.engine": "rqlite", "storages.engines.rqlite.dataDir": "/var/lib/pryv/data/rqlite-data"}


def test_the_platforms_folder_is_a_root_of_its_own_by_checksum_and_left_out_of_what_it_lies_in() -> None:
    shared, platform = data_roots(CORE.changed(RQLITE))
    apart = data_roots(CORE.changed({**RQLITE, "storages.engines.rqlite.dataDir": "/srv/pryv/rqlite"}))

    assert shared == DataRoot("/var/lib/pryv/data", ("/rqlite-data", "/previews/*", "*-shm"))
    assert platform == DataRoot("/var/lib/pryv/data/rqlite-data", checksum=True)
    assert apart == (DataRoot("/var/lib/pryv/data", ("/previews/*", "*-shm")), DataRoot("/srv/pryv/rqlite", checksum=True))


def test_a_place_outside_every_root_is_a_root_of_its_own_and_one_inside_is_not() -> None:
    beside = {
        "letsEncrypt.enabled": True,
        "letsEncrypt.tlsDir": "/srv/pryv/tls",
        "dns.domain": "x.test",
        "cluster.ca.path": "/srv/ca",
    }
    inside = {**beside, "letsEncrypt.tlsDir": "/var/lib/pryv/data/tls", "dns.domain": ""}

    found = data_roots(CORE.changed(beside))[1:]

    assert found == (DataRoot("/srv/ca", beside=True), DataRoot("/srv/pryv/tls", beside=True))
    assert len(data_roots(CORE.changed(inside))) == 1


def test_what_is_kept_beside_the_data_is_left_out_where_it_was_not_there_at_rest() -> None:
    config = CORE.changed({"letsEncrypt.enabled": True, "letsEncrypt.tlsDir": "/srv/pryv/tls"})
    paths = {paths: Measured("/srv/pryv/tls", Role.SOURCE, "aa", paths) for paths in (0, 3)}

    assert [len(found_at_rest(config, {one.name: one})) for one in paths.values()] == [1, 2]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "too high up"),
        ("/srv", "too high up"),
        ("/opt/pryv", "holds /opt/pryv/app, which is moved otherwise"),
        ("/etc/pryv", "holds /etc/pryv, which is moved otherwise"),
        ("/etc/pryv/ca", ""),
        ("/srv/pryv", ""),
    ],
)
def test_a_place_that_holds_more_than_data_is_refused(path: str, said: str) -> None:
    assert why_not(DataRoot(path), ("/opt/pryv/app", "/etc/pryv")).startswith(said)
    assert bool(why_not(DataRoot(path), ("/opt/pryv/app", "/etc/pryv"))) is bool(said)


def test_the_platforms_folder_is_sent_by_checksum_and_nothing_else_is() -> None:
    deeds = [deed for deed in transfer(plan(), CORE.changed(RQLITE), {}) if isinstance(deed, Command)]
    sent = [deed for deed in deeds if deed.argv[0] == "rsync"]

    assert [(deed.argv[-2], "--checksum" in deed.argv) for deed in sent] == [
        ("/var/lib/pryv/data/", False),
        ("/var/lib/pryv/data/rqlite-data/", True),
    ]


def test_what_is_kept_beside_the_data_may_be_absent_and_belong_to_another_user() -> None:
    config = CORE.changed({"letsEncrypt.enabled": True, "letsEncrypt.tlsDir": "/srv/pryv/tls"})
    taken: Any = next(iter(measure(plan(), config)))
    listed: Any = next(belong_to_core(plan(), config))

    assert ["--may-be-absent" in one.argv for one in taken[:2]] == [False, True]
    assert "/srv/pryv/tls" not in taken[2].argv[-1]
    assert listed.of.argv[-1] == "/var/lib/pryv/data"
