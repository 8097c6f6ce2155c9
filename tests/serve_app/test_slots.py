"""Slots are held by one at a time, and always given back."""

import pytest

from serve_app.slots import Full, Slots


@pytest.fixture
def slots() -> Slots:
    return Slots("streams", per_key=2, in_all=3)


def test_a_key_has_its_most_and_another_has_its_own(slots: Slots) -> None:
    with slots.held("ana"), slots.held("ana"):
        with pytest.raises(Full, match="2 streams at once are the most with this API key") as own:
            slots.held("ana").__enter__()
        with slots.held("bo"):
            taken = slots.taken

    assert own.value.of_key
    assert taken == 3
    assert slots.taken == 0


def test_all_keys_together_have_their_most(slots: Slots) -> None:
    with slots.held("ana"), slots.held("ana"), slots.held("bo"):
        with pytest.raises(Full, match="3 streams at once are the most on this front") as front:
            slots.held("cy").__enter__()
        taken = slots.taken

    assert not front.value.of_key
    assert taken == 3


def test_a_slot_is_given_back_by_an_error(slots: Slots) -> None:
    for _ in range(10):
        with pytest.raises(KeyError), slots.held("ana"):
            raise KeyError

    assert slots.taken == 0


def test_keys_that_hold_nothing_are_not_remembered(slots: Slots) -> None:
    for n in range(100):
        with slots.held(f"key {n}"):
            pass
        with pytest.raises(KeyError), slots.held(f"key {n}"):
            raise KeyError

    assert not slots._held  # noqa: SLF001 - nothing else tells what is kept
