"""The HTML report tells a stranger, in order, what happened, and steers no reader."""

from __future__ import annotations

import itertools
import re
import subprocess
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from harness import journal
from harness.journal import read
from harness.report import render
from tests.unit import journals
from tests.unit.story import SECRET, Story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VOID = frozenset({"meta", "img"})


class Page(HTMLParser):
    """The visible text of a page, its tags, and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture
def page(tmp_path: Path) -> Callable[[Callable[[Path], Path]], Page]:
    return lambda tell: Page(render(read(tell(tmp_path / "journal.jsonl")).lines))


def in_order(text: str, *parts: str) -> None:
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"“{part}” does not come after what stands before it"
        at = found + len(part)


def told(tmp_path: Path, story_of: Callable[[Story], None]) -> Page:
    story = Story(tmp_path / "journal.jsonl")
    story_of(story)
    return Page(render(story.journal.lines))


@pytest.mark.parametrize("tell", [journals.green, journals.red, journals.continued, journals.unfinished])
def test_every_page_is_well_formed_and_needs_nothing_but_itself(
    page: Callable[[Callable[[Path], Path]], Page], tell: Callable[[Path], Path]
) -> None:
    seen = page(tell)

    assert seen.open == []
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in seen.tags}
    assert not [
        value for _, attributes in seen.tags for name, value in attributes.items() if name == "src" or name.startswith("on")
    ]
    assert {href for tag, a in seen.tags if tag == "a" and (href := a.get("href") or "")[:1] != "#"} == set()
    anchors = {a.get("id") for _, a in seen.tags}
    assert {str(a["href"])[1:] for tag, a in seen.tags if tag == "a"} <= anchors


def test_every_table_has_a_caption_and_scoped_headings(page: Callable[[Callable[[Path], Path]], Page]) -> None:
    tags = page(journals.red).tags
    names = [tag for tag, _ in tags]

    assert names.count("table") == names.count("caption") > 5
    assert all(a.get("scope") in {"row", "col"} for tag, a in tags if tag == "th")
    assert {"main", "header", "footer", "nav", "h1", "h2", "h3", "h4"} <= set(names)


def test_a_green_page_says_first_what_is_so_and_what_it_does_not_show(page: Callable[[Callable[[Path], Path]], Page]) -> None:
    in_order(
        page(journals.green).text,
        "CHG0031337 · Move core-a to Geneva-2",
        "Green: the core was moved and 9 scenarios prove it",
        "The stand-in core was used",
        "This was a rehearsal",
        "the source has no MongoDB",
        "users are served by the dest",
        "the operator on duty",
        "from T_stop to T_open; planned: 15 min 00 s",
        "T_stop",
        "T_start",
        "T_open",
        "PostgreSQL",
        "148.0 MB",
        "10 Nothing is touched before everything is known",
        "50 Nothing is copied while users can write",
        "85 Users' traffic moves",
        "the rehearsal itself",
        "a note for the change board",
        "performed",
        "approved",
    )


def test_a_red_page_says_what_is_red_why_it_matters_and_what_to_do(page: Callable[[Callable[[Path], Path]], Page]) -> None:
    in_order(
        page(journals.red).text,
        "Red at 60",
        "fingerprints are equal : 1 of 4 differ",
        'source dest accesses {"rows": 2412',
        '{"rows": 2411',
        f"Why it matters: {journals.WHY}",
        f"What to do: {journals.REMEDY}",
        "The whole of it: 60 A restored database equals its source → The PostgreSQL database arrives unchanged",
        "mend and run again: pytest features/",
        "Not shown: The stand-in core was used",
        "3 scenarios not run",
        "Change",
    )


def test_a_scenario_shows_given_act_deeds_and_then_with_before_and_after(page: Callable[[Callable[[Path], Path]], Page]) -> None:
    runbook = page(journals.green).text.partition("A step's checks")[2]
    in_order(
        runbook,
        "The PostgreSQL dump is complete",
        "Given the source is frozen · ✓ held",
        "When the PostgreSQL database is dumped · ✓ done",
        "1 deed",
        "pg_dump",
        "exit 0 · 12.4 s",
        "Then the PostgreSQL dump holds everything",
        "Before the act After the act",
        "witness: sql · examined 4, at least 4",
        "○ absent no dump on the source",
        "✓ held",
    )


def test_what_a_host_answers_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    html = render(read(journals.green(tmp_path / "journal.jsonl")).lines)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html
    assert "default-src 'none'" in html


def test_every_field_of_every_kind_is_escaped_and_printable(tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)>\x1b]0;x\x07\u202e"

    def story_of(story: Story) -> None:
        story.run(title=bad, operator=bad, hosts={bad: bad}, core=bad, command=bad, digests={bad: bad}, window={bad: bad})
        story.begin(bad, bad)
        story.look("given", bad, bad, "not held", expected={bad: bad}, observed={bad: 1}, why=bad, remedy=bad, witness=bad)
        story.act(bad, "begun")
        story.do(f"source$ {bad}", tail=bad, exit=1)
        story.end("red", bad)
        story.without(bad, "other", "blocked", bad)
        for kind in ("mark", "gate", "fact", "note", "deviation", "digest", "unheard of"):
            names = ("mark", "scenario", "by", "name", "text", "reason", "approver", "role", "digest", "from", "status")
            story.tell(kind, approved=True, **dict.fromkeys(names, bad))
        story.verdict("red", bad, [bad])

    seen = told(tmp_path, story_of)

    assert not any(tag == "img" for tag, _ in seen.tags)
    assert seen.open == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", seen.text)
    assert seen.text.count("onerror=alert(1)") > 20


def test_a_secret_is_masked_in_the_page_too(tmp_path: Path) -> None:
    html = render(read(journals.green(tmp_path / "journal.jsonl")).lines)

    assert SECRET not in html
    assert html.count("•••") >= 2


def test_a_continued_run_shows_the_last_state_first_and_the_earlier_attempts_folded(
    page: Callable[[Callable[[Path], Path]], Page],
) -> None:
    text = page(journals.continued).text
    in_order(
        text, "Green:", "3 scenarios settled", "typed 2 times", "1 (fresh)", "✗ red", "2 ", "✓ green", "Attempt 1:", "Attempt 2:"
    )
    runbook = text.partition("A step's checks")[2]
    in_order(runbook, "The source core is stopped", "✓ settled", "Green in attempt 1 at 02:05:03 UTC", "processes of the core")
    in_order(runbook, journals.RESTORED, "✓ green", "attempt 2", "Earlier, attempt 1: red", 'accesses: {"rows": 2411')


def test_an_unfinished_journal_says_how_far_it_came(page: Callable[[Callable[[Path], Path]], Page]) -> None:
    in_order(
        page(journals.unfinished).text,
        "Unfinished: the record ends without a verdict",
        f"“{journals.RESTORED}” had begun and did not end",
        "the last intent was “dest as postgres$ pg_restore",
        "nothing answered it",
        "begun, nothing answered it",
    )


def test_a_torn_last_line_stands_in_the_verdict(tmp_path: Path) -> None:
    lines = read(journals.unfinished(tmp_path / "journal.jsonl")).lines

    assert "its last line is torn (17 bytes)" in Page(render(lines, torn=17)).text


def test_long_values_are_shortened_and_whole_in_their_details(tmp_path: Path) -> None:
    long = [f"path-{number}" for number in range(400)]

    def story_of(story: Story) -> None:
        story.run()
        journals.looked(story, journals.PREFLIGHT, "Long", "paths", observed=long)

    seen = told(tmp_path, story_of)

    in_order(seen.text, '["path-0", "path-1"', "…", '"path-399"] [ "path-0", "path-1"', '"path-200"', '"path-399" ]')


def test_the_record_is_signed_by_the_digest_of_its_last_line(tmp_path: Path) -> None:
    recorded = read(journals.green(tmp_path / "journal.jsonl"))

    assert recorded.last != journal.FIRST
    text = Page(render(recorded.lines)).text
    in_order(text, "performed:", "reviewed:", "approved:", f"Digest of this record: {recorded.last}", "By hand")


@pytest.mark.parametrize("torn", [b"", b'{"seq": 9, "ki'])
def test_the_digest_is_what_the_command_beside_it_prints(tmp_path: Path, torn: bytes) -> None:
    path = journals.green(tmp_path / "journal.jsonl")
    with path.open("ab") as file:
        file.write(torn)
    recorded = read(path)
    html = render(recorded.lines, torn=len(recorded.torn))
    command = re.search(r"<pre tabindex=\"0\">(sed [^<]*)</pre>", html)

    assert command
    done = subprocess.run(["sh", "-c", unescape(command[1])], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=True)
    assert f"Digest of this record: <code>sha256:{done.stdout.split()[0]}</code>" in html


def test_a_kind_that_is_not_known_is_shown_all_the_same(tmp_path: Path) -> None:
    def story_of(story: Story) -> None:
        story.run()
        story.tell("weather", sky="grey")

    assert '"sky": "grey"' in told(tmp_path, story_of).text


def test_a_page_can_be_used_by_keyboard_and_read_aloud(page: Callable[[Callable[[Path], Path]], Page]) -> None:
    tags = page(journals.red).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]

    assert ("html", {"lang": "en"}) in tags
    assert next((a.get("href"), a.get("class")) for tag, a in tags if tag == "a") == ("#main", "skip")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(later - earlier for earlier, later in itertools.pairwise(levels)) == 1
    assert len(ids) == len(set(ids))
    assert all(a.get("tabindex") == "0" for tag, a in tags if tag == "pre")
    for _, svg in (one for one in tags if one[0] == "svg"):
        assert svg["role"] == "img"
        assert set(str(svg["aria-labelledby"]).split()) <= set(ids)


def test_deviations_say_what_why_and_who_accepts_them_and_waivers_stand_in_the_verdict(tmp_path: Path) -> None:
    def story_of(story: Story) -> None:
        story.run()
        story.begin(journals.PREFLIGHT, "The clocks agree")
        story.look("after", "both clocks agree", "clocks", "not held")
        accepted = {"reason": "a known drift", "approver": "the change board", "until": "2026-12-02T00:00:00+00:00"}
        story.tell("deviation", scenario=story.scenario, what="waived: both clocks agree", cause="clocks: not held", **accepted)
        story.end()
        journals.looked(story, journals.PREFLIGHT, "Other", "check")
        story.tell("deviation", scenario="Other", what="outside the window", cause="it is late")
        story.verdict("green", "it is", [])

    text = told(tmp_path, story_of).text
    in_order(text, "✓ Green: it is", "1 red fact waived, not proved. 2 deviations accepted")
    in_order(text, "△ waived", "a known drift")
    in_order(
        text,
        "What Scenario and time Because Accepted by",
        "waived: both clocks agree The clocks agree",
        "clocks: not held reason given: a known drift the change board until 2026-12-02",
        "outside the window Other",
        "it is late nobody named",
    )


def test_a_fault_matrix_is_shown_where_the_record_holds_one_and_missed_where_not(tmp_path: Path) -> None:
    row = {
        "fault": "row-missing",
        "text": "one access is lost",
        "after": "S",
        "red": "S: fingerprints",
        "message": "1 of 18 differ",
    }

    def story_of(story: Story) -> None:
        story.run(faults=[row | {"guide": "not seen", "as_declared": True}, row | {"red": "", "as_declared": False}])

    in_order(
        told(tmp_path, story_of).text,
        "What this runbook would have caught",
        "1 of 2 ended as declared",
        "row-missing one access is lost S S: fingerprints 1 of 18 differ not seen ✓ yes",
        "nothing: a control",
        "not said ✗ no",
    )
    (tmp_path / "none").mkdir()
    assert "Not rehearsed with faults yet" in told(tmp_path / "none", lambda story: story.run()).text


def test_a_defect_that_was_put_in_on_purpose_stands_in_the_verdict(tmp_path: Path) -> None:
    def story_of(story: Story) -> None:
        story.run()
        journals.looked(story, journals.PREFLIGHT, "A fact", "check")
        story.tell("note", text="fault row-missing: one access is lost; landed: 7")
        story.verdict("green", "", [])

    in_order(
        told(tmp_path, story_of).text, "Not shown: A defect was put in on purpose (fault row-missing: one access is lost", "Change"
    )


def test_planned_and_measured_outage_stand_side_by_side(page: Callable[[Callable[[Path], Path]], Page]) -> None:
    in_order(page(journals.green).text, "Planned Measured Users wait 15 min 00 s 1 min 41 s", "The command was typed")


def test_the_same_lines_give_the_same_page(tmp_path: Path) -> None:
    lines = read(journals.continued(tmp_path / "journal.jsonl")).lines

    assert render(lines) == render(lines)
