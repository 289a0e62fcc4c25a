"""The end of the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import retiring
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.run import Run


@then("nobody is connected to the source's public port", within_s=retiring.patience_s)
def nobody(run: Run, plan: Plan) -> None:
    run.look(retiring.nobody_connected(plan))


@then("the source has not been asked for anything for the drain time", within_s=retiring.patience_s)
def quiet(run: Run, plan: Plan) -> None:
    run.look(retiring.quiet(plan, run.state.marks.get("T_open")))


@when("the source's proxy is stopped for good", idempotent=True)
def stop_proxy(plan: Plan) -> Act:
    yield from retiring.stop_proxy(plan)


@then("nothing listens on the source's public port")
def no_listener(run: Run, plan: Plan) -> None:
    run.look(retiring.no_public_listener(plan))


@then("the source's proxy does not start at boot")
def not_at_boot(run: Run, plan: Plan) -> None:
    run.look(retiring.proxy_not_at_boot(plan))


@when("the dumps are removed", idempotent=True)
def remove_dumps(plan: Plan) -> Act:
    yield from retiring.remove_dumps(plan)


@then("no dump of this run lies on either host")
def no_dumps(run: Run, plan: Plan) -> None:
    run.look(retiring.no_dumps(plan))


@then("nothing that the guide leaves in the hosts' temporary folder is there")
def nothing_of_the_guide(run: Run) -> None:
    run.look(retiring.nothing_of_the_guide())
