"""The record as JUnit XML, for a CI server: one test case a scenario, and one more in error where the record does not stand.

A CI server reads a file without failures as a success, so a record that is unfinished, torn or in doubt gets a test case of its own
that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from harness.report.fold import fold
from harness.report.tree import told
from harness.report.verdict import judge
from harness.shown import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.journal import Line
    from harness.report.tree import Feature, Record, Scenario
    from harness.report.verdict import Verdict


def junit(lines: Sequence[Line], *, torn: int = 0) -> str:
    """Return the JUnit XML of a journal's lines; `torn` counts the bytes of an unfinished last line."""
    record = fold(lines, torn=torn)
    root = ET.Element("testsuites", name=printable(str(record.newest.run.get("run", "run"))))
    for feature in record.features:
        _suite(root, feature, record)
    _whole(root, judge(record))
    _count(root, root)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ET.Element, feature: Feature, record: Record) -> None:
    suite = ET.SubElement(root, "testsuite", name=f"{feature.number} {feature.title}".strip())
    for scenario in feature.scenarios:
        _case(suite, scenario, record)
    _count(suite, suite)


def _count(element: ET.Element, within: ET.Element) -> None:
    """Write the counts that JUnit readers expect on a suite."""
    cases = list(within.iter("testcase"))
    element.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _case(suite: ET.Element, scenario: Scenario, record: Record) -> None:
    turn = scenario.last
    case = ET.SubElement(suite, "testcase", classname=printable(scenario.feature), name=printable(scenario.name))
    case.set("time", f"{turn.seconds or 0:.3f}")
    if turn.attempt != record.newest.number:
        _say(case, "skipped", f"not reached in the last attempt; {turn.status} in attempt {turn.attempt}")
    elif turn.status in {"blocked", "not applicable"}:
        _say(
            case,
            "skipped",
            turn.cause if turn.cause.startswith(turn.status) else f"{turn.status}: {turn.cause or 'no cause given'}",
        )
    elif turn.status == "red":
        _failure(case, scenario)
    elif turn.status == "settled":
        ET.SubElement(case, "system-out").text = f"settled: green in attempt {scenario.evidence.attempt}, not looked at again"
    elif turn.status != "green":
        _say(case, "error", "begun and not ended" if turn.status == "begun" else f"ended as “{turn.status}”")


def _say(case: ET.Element, tag: str, message: str, body: str = "") -> None:
    child = ET.SubElement(case, tag, message=printable(message))
    if body:
        child.text = printable(body)


def _failure(case: ET.Element, scenario: Scenario) -> None:
    """Write what is red: the checks with both sides and the remedy, or the cause where no check says it."""
    red = [look for pair in scenario.last.pairs for look in (pair.before, pair.after) if look and look.red]
    causes = [scenario.last.cause, *(step.cause for step in scenario.last.steps)]
    message = red[0].name if red else next((cause for cause in causes if cause), "red")
    body = "\n\n".join([*map(told, red), *(dict.fromkeys(cause for cause in causes if cause))])
    _say(case, "failure", message, body)


def _whole(root: ET.Element, verdict: Verdict) -> None:
    if verdict.status in {"unfinished", "in doubt"}:
        suite = ET.SubElement(root, "testsuite", name="The record")
        case = ET.SubElement(suite, "testcase", classname="The record", name="The record bears out its verdict", time="0.000")
        _say(case, "error", verdict.sentence, "\n".join(verdict.doubts))
        _count(suite, suite)
