"""What the seed says of people: the same for the same seed, within the core's bounds, and as much as a scale asks for."""

from __future__ import annotations

import re

import pytest

from fixtures.seeding import SMALL, Amount, amount
from fixtures.seeding.content import ACCESSES, LARGE, person
from harness.errors import Refused


def test_a_person_is_the_same_for_the_same_seed_and_number() -> None:
    assert person(1, 2, 20) == person(1, 2, 20)
    assert person(1, 2, 20).files[2].content == person(1, 2, 20).files[2].content
    assert person(1, 2, 20).events != person(2, 2, 20).events
    assert person(1, 2, 20).events != person(1, 3, 20).events


def test_scale_one_is_what_a_rehearsal_promises() -> None:
    people = [person(1, number, amount("1").events) for number in range(1, amount("1").users + 1)]

    assert len(people) == 20
    assert sum(len(one.events) - len(one.deleted) + 1 for one in people) + 20 * 3 >= 2000
    sizes = [len(file.content) for one in people for file in one.files]
    assert (sizes.count(0), sizes.count(LARGE[1])) == (20, 1)
    assert {one["type"] for one in ACCESSES} == {"app", "shared"}


def test_people_are_within_the_bounds_of_the_core() -> None:
    for one in (person(1, number, 20) for number in (1, 2, 10, 4000)):
        assert re.fullmatch("[a-z0-9][a-z0-9-]{3,58}[a-z0-9]", one.username)
        assert 5 <= len(one.password) <= 23
        assert all(re.fullmatch("c[a-z0-9]{24}", event["id"]) for event in (*one.events, one.series))
        assert len({event["id"] for event in one.events}) == 20
        assert not set(one.changed) & set(one.trashed) | set(one.trashed) & set(one.deleted)
        assert all(url.startswith("http://127.0.0.1:9/") for url in one.webhooks)


def test_a_scale_is_a_whole_number_or_small() -> None:
    assert amount("small") == SMALL
    assert amount("3") == Amount(users=60, events=100)
    for wrong in ("0", "-1", "1.5", "", "large", "²"):
        with pytest.raises(Refused, match=f"^--scale {re.escape(wrong)}: a whole number from 1 on, or small$"):
            amount(wrong)
