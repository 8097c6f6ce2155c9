"""Merging of what several ingest replicas measured of one runtime."""

from models.fleet import Demand, merged


def test_nobody_measures_nothing() -> None:
    assert merged([]) is None


def test_one_demand_is_itself() -> None:
    alone = Demand(waiting=3, visible=2, running=1, oldest_seconds=2, seconds=4.0, load_share=0.5)

    assert merged([alone]) == alone


def test_tasks_in_hand_are_added_up_and_the_oldest_is_the_oldest_of_all() -> None:
    parts = [
        Demand(waiting=2, running=3, oldest_seconds=9, beat=4),
        Demand(waiting=5, running=0, oldest_seconds=1, beat=2),
    ]

    whole = merged(parts)

    assert whole == Demand(waiting=7, running=3, oldest_seconds=9, beat=6)


def test_what_is_visible_is_the_same_for_all_and_counts_once() -> None:
    full = [Demand(waiting=40, visible=30, running=0), Demand(waiting=37, visible=32, running=0)]

    whole = merged(full)

    assert whole is not None
    assert (whole.waiting, whole.visible) == (45, 30)


def test_who_has_room_receives_what_is_visible_so_it_is_not_counted() -> None:
    full, roomy = Demand(waiting=40, visible=30, running=0), Demand(waiting=2, running=0)

    whole = merged([full, roomy])

    assert whole is not None
    assert (whole.waiting, whole.visible) == (12, 0)


def test_averages_are_weighted_by_the_tasks_in_hand() -> None:
    busy = Demand(waiting=2, running=1, seconds=1.0, load_seconds=None, load_share=0.0)
    other = Demand(waiting=101, visible=100, running=0, seconds=5.0, load_seconds=7.0, load_share=1)

    whole = merged([busy, other])

    assert whole is not None
    assert (whole.seconds, whole.load_seconds, whole.load_share) == (2.0, 7.0, 0.25)


def test_an_average_is_kept_where_only_an_idle_ingest_knows_it() -> None:
    idle, new = Demand(waiting=0, running=0, seconds=5.0), Demand(waiting=4, running=0)

    whole = merged([idle, new])

    assert whole is not None
    assert whole.seconds == 5.0
