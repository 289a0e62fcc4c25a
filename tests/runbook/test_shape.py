"""`--plan FILE --rehearse`: a plan rehearsed on disposable hosts of its shape; its own hosts are only looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fixtures.hosts.product import STAND_IN, lying
from fixtures.hosts.spaces import rooted
from fixtures.hosts.world import open_world
from tests.runbook.living import LiveMove
from tests.runbook.rehearsing import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.hosts.world import World

pytestmark = pytest.mark.rehearsal

SITE = "/etc/nginx/sites-enabled/pryv.conf"
# Without root a host has one user only, whose name is its own.
ELSEWHERE = {"app": "/srv/core/app", "config": "/etc/core", "data": "/srv/core/data"} | ({"user": "core"} if rooted() else {})
SNIPPET = "add_header X-Served-By the-real-source always;\n"


@pytest.fixture
def real(tmp_path: Path) -> Iterator[World]:
    """Return hosts that stand for real ones; the source's nginx is an own one of theirs."""
    made = open_world(tmp_path / "real", fresh=True, product=lying(STAND_IN, ELSEWHERE), cutover="proxy", say=lambda _: None)
    site = made.host("source").disk.at(SITE)
    own = site.read_text(encoding="utf-8").replace("api_backend", "upstream_of_ours")
    site.write_text(own.replace("server_name", f"{SNIPPET}server_name"), encoding="utf-8")
    yield made
    made.end()


def written(real: World, path: Path) -> dict[str, Any]:
    """Write the plan of the real hosts."""
    content: dict[str, Any] = yaml.safe_load(real.plan_path.read_text(encoding="utf-8"))
    content["change"] |= {"id": "CHG0031337", "title": "Move the real one"}
    content["sending"] = {"key": "rsa-4096"}
    content["verification_user"]["username"] = "verify-ours"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return content


def test_a_plan_is_rehearsed_with_its_nginx_its_key_and_its_user_and_its_hosts_are_left_alone(real: World, tmp_path: Path) -> None:
    plan = tmp_path / "migration.yml"
    written(real, plan)
    before = LiveMove(tmp_path, real).manifests()
    rehearsal = Rehearsal(tmp_path, arguments=("--plan", str(plan), "--rehearse"))

    try:
        assert rehearsal.run() == 0, rehearsal.printed[-3000:]
    finally:
        rehearsal.close()

    assert LiveMove(tmp_path, real).manifests() == before
    assert rehearsal.came_to() == {"green"}
    header = next(line for line in rehearsal.lines if line["kind"] == "run")
    assert header["title"] == "Rehearsal of CHG0031337: Move the real one"
    assert "; in the shape of CHG0031337; not as in the plan: certificates, the name servers and the dest's door" in header["hosts"]
    told = str(rehearsal.lines)
    assert "upstream_of_ours" in told
    assert "rsync /srv/core/data/ from the source to the dest" in told
    assert rehearsal.printed.count("not as in the plan") == 2  # one thing, told and in the header
    assert "ssh-keygen, rsa-4096" in told
    assert "DELETE /users/verify-ours" in told
    assert "the sample's stands" not in rehearsal.printed


def test_to_rehearse_needs_a_plan(tmp_path: Path) -> None:
    rehearsal = Rehearsal(tmp_path, arguments=("--rehearse",))

    assert rehearsal.run() == 13, rehearsal.printed
    assert "--rehearse needs --plan FILE" in rehearsal.printed
    rehearsal.close()
