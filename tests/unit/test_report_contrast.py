"""The page's colours can be read: WCAG 2.2 AA, computed from the CSS itself, on screen in light and dark and on paper."""

from __future__ import annotations

import re

import pytest

from harness.report.html import HERE

CSS = (HERE / "report.css").read_text(encoding="utf-8")
TEXTS = ("ink", "soft", "good", "bad", "odd", "idle", "link")
BARS = ("good-bar", "bad-bar", "odd-bar", "idle-bar", "moved-bar")
TEXT, SHAPE = 4.5, 3.0
WAIT_OPACITY = 0.13


def variables(block: str) -> dict[str, tuple[int, int, int]]:
    """Return the colours of a :root block as red, green and blue from 0 to 255."""
    found = re.findall(r"--([\w-]+): #([0-9a-f]{3}|[0-9a-f]{6});", block)
    wide = {name: text if len(text) == 6 else "".join(2 * digit for digit in text) for name, text in found}
    return {name: (int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)) for name, text in wide.items()}


def root(after: str) -> dict[str, tuple[int, int, int]]:
    """Return the colours of the first :root block behind some text of the CSS."""
    return variables(CSS[CSS.index(after) :].partition(":root {")[2].partition("}")[0])


LIGHT = root("")
SCHEMES = {
    "light": LIGHT,
    "dark": LIGHT | root("@media (prefers-color-scheme: dark)"),
    "print": LIGHT | root("@media print"),
}


def luminance(colour: tuple[int, int, int]) -> float:
    """Return the relative luminance, as WCAG defines it."""
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_is_21_to_1() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ground", ["paper", "shade"])
@pytest.mark.parametrize("text", TEXTS)
def test_text_can_be_read_on_every_ground(scheme: str, ground: str, text: str) -> None:
    assert contrast(SCHEMES[scheme][text], SCHEMES[scheme][ground]) >= TEXT


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bar", BARS)
def test_bars_can_be_told_from_the_paper_and_from_the_time_users_wait(scheme: str, bar: str) -> None:
    colours = SCHEMES[scheme]
    mixed = [
        round(WAIT_OPACITY * wait + (1 - WAIT_OPACITY) * paper)
        for wait, paper in zip(colours["wait"], colours["paper"], strict=True)
    ]

    assert f"svg .wait {{ fill: var(--wait); opacity: {WAIT_OPACITY:.2f}".replace("0.", ".") in CSS
    assert contrast(colours[bar], colours["paper"]) >= SHAPE
    assert contrast(colours[bar], (mixed[0], mixed[1], mixed[2])) >= SHAPE
    assert contrast(colours["ink"], (mixed[0], mixed[1], mixed[2])) >= TEXT


def test_motion_is_for_those_who_want_it_and_focus_is_seen() -> None:
    assert re.search(r"prefers-reduced-motion: no-preference\) \{ html \{ scroll-behavior: smooth", CSS)
    assert CSS.count("scroll-behavior") == 1
    assert not re.search(r"\b(animation|transition)\b", CSS)
    assert ":focus-visible { outline: 3px solid" in CSS
