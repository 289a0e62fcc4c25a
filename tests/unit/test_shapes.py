"""The shape of a plan: what rehearsal hosts have of it, what is said that they do not; the source's nginx text fitted to them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from fixtures.hosts.fitted import Fit, fitted
from fixtures.hosts.records import CONTAINERS, LOOPBACK
from fixtures.shapes import Seen, shape
from harness.configuration import Config
from harness.cutover.nginx import Unreadable
from tests.plans import CONTENT, plan

FIT = Fit("core.example.com", "core.pryv.test", {3100: 3000, 4100: 4000}, "127.1.2.2", 8443, "/tls/our.pem", "/tls/our.key")
FILE = "/etc/nginx/sites-enabled/core.conf"
REAL = {
    "/etc/nginx/nginx.conf": "http { include sites-enabled/*; }\n",
    FILE: """\
upstream api { server 127.0.0.1:3100 max_fails=0; }   # kept as it is
server { listen 80; server_name core.example.com; return 301 https://$host$request_uri; }
server {
    listen 443 ssl http2; listen [::]:443 ssl http2;
    server_name core.example.com www.example.org;
    ssl_certificate /etc/letsencrypt/live/core/fullchain.pem; ssl_certificate_key /etc/letsencrypt/live/core/privkey.pem;
    ssl_dhparam /etc/nginx/dhparam.pem;
    access_log /srv/log/core.log combined;
    include snippets/headers.conf;
    location / { proxy_pass http://api; }
    location ~ series { proxy_pass http://127.0.0.1:4100; }
    location /static { proxy_pass http://127.0.0.1:9999; }
}
""",
    "/etc/nginx/snippets/headers.conf": "proxy_set_header Host $http_host;\n",
}
FITTED = """\
upstream api { server 127.1.2.2:3000 max_fails=0; }   # kept as it is
server { listen unix:/run/nginx-plain-1.sock; server_name core.pryv.test; return 301 https://$host$request_uri; }
server {
    listen 127.1.2.2:8443 ssl;\x20
    server_name core.pryv.test www.example.org;
    ssl_certificate /tls/our.pem; ssl_certificate_key /tls/our.key;
   \x20
    access_log /var/log/nginx/access.log;
    proxy_set_header Host $http_host;

    location / { proxy_pass http://api; }
    location ~ series { proxy_pass http://127.1.2.2:4000; }
    location /static { proxy_pass http://127.0.0.1:9999; }
}
"""


def test_the_sources_nginx_leads_where_it_led_but_for_addresses_and_files() -> None:
    assert fitted(REAL, FILE, FIT) == FITTED


def test_what_is_no_configuration_is_not_fitted() -> None:
    with pytest.raises(Unreadable):
        fitted({FILE: "server {"}, FILE, FIT)


def changed(**core: Any) -> Any:  # noqa: ANN401 - a plan
    return plan(core={**CONTENT["core"], **core})


SYSTEMD = {"deploy": "systemd", "command": None, "systemd": {"unit": "core"}}
SAMPLE = Config(
    {
        **{f"storages.{kind}.engine": "postgresql" for kind in ("base", "series", "platform")},
        "storages.file.engine": "filesystem",
        "storages.audit.engine": "sqlite",
        "storages.engines.sqlite.path": "/var/lib/pryv/data/users",
        "storages.engines.filesystem.previewsDirPath": "/var/lib/pryv/data/previews",
    },
    (),
)
ELSEWHERE = SAMPLE.changed({"storages.engines.sqlite.path": "/data/core/u/users"})
ALWAYS = (
    "the public name core.example.com: it is core.pryv.test",
    "certificates, the name servers and the dest's door: they are the rehearsal's",
)


def test_what_a_rehearsal_has_of_a_plan_is_not_said() -> None:
    found = shape(changed(), Seen(SAMPLE), CONTAINERS, rqlited=False)

    assert (found.provider, found.deploy, found.cutover, found.transfer) == (LOOPBACK, None, "dns", "literal")
    assert found.said == ALWAYS


@pytest.mark.parametrize(
    ("core", "seen", "provider", "rqlited", "said"),
    [
        (
            SYSTEMD,
            Seen(SAMPLE),
            LOOPBACK,
            False,
            "core.deploy systemd: the core is controlled by commands (no Docker engine answers)",
        ),
        ({"user": "postgres"}, Seen(SAMPLE), LOOPBACK, False, "core.user postgres: it is pryv"),
        ({"app_path": "/core/app/"}, Seen(SAMPLE), LOOPBACK, False, "core.app_path /core/app: it is /opt/pryv/app"),
        (
            {"config_paths": ["/etc/a", "/etc/b"]},
            Seen(SAMPLE),
            LOOPBACK,
            False,
            "core.config_paths ['/etc/a', '/etc/b']: it is ['/etc/",
        ),
        ({}, Seen(why_not="no answer"), LOOPBACK, False, "the source was not seen (no answer): engines, data places and nginx"),
        (
            {},
            Seen(SAMPLE.changed({"storages.platform.engine": "rqlite"})),
            LOOPBACK,
            False,
            "storages.platform in rqlite: it",
        ),
        ({}, Seen(SAMPLE), LOOPBACK, True, "storages.platform in postgresql: it is in rqlite"),
        (
            {},
            Seen(SAMPLE.changed({"storages.series.engine": "influxdb"})),
            LOOPBACK,
            False,
            "storages.series in influxdb: it",
        ),
        (
            {},
            Seen(ELSEWHERE),
            LOOPBACK,
            False,
            "data in /data/core/u/users, ",
        ),
    ],
)
def test_what_it_does_not_have_is_said(core: dict[str, Any], seen: Seen, provider: str, rqlited: bool, said: str) -> None:
    found = shape(changed(**core), seen, provider, rqlited=rqlited)

    assert [one for one in found.said if one.startswith(said)] != [], found.said


def test_a_unit_of_systemd_is_rehearsed_as_one_where_an_engine_answers() -> None:
    found = shape(changed(**SYSTEMD), Seen(SAMPLE), CONTAINERS, rqlited=False)

    assert (found.provider, found.deploy, found.said) == (CONTAINERS, "systemd", ALWAYS)


@pytest.mark.skipif(os.geteuid() != 0, reason="without root a host has one user, whose name is its own")
def test_the_core_lies_where_the_plan_says_and_its_user_is_called_so() -> None:
    data = "/srv/pryv/d"
    other = {"storages.engines.sqlite.path": f"{data}/users", "storages.engines.filesystem.previewsDirPath": f"{data}/previews"}
    theirs = changed(user="core", app_path="/srv/core", config_paths=["/etc/core/"])

    found = shape(theirs, Seen(SAMPLE.changed(other)), LOOPBACK, rqlited=False)

    assert found.core == {"app": "/srv/core", "config": "/etc/core", "data": data, "user": "core"}
    assert found.said == ALWAYS
