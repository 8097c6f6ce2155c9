"""Durations: what tasks and loads last, as the router is told with each task."""

from deployments.routing import Durations, Need


def test_a_task_like_none_before_is_expected_to_last_as_long_as_others() -> None:
    durations = Durations()
    assert durations.need(["a"]) == Need(("a",))

    durations.ended(["a"], 2, 0.001)
    assert durations.need(["b"]).seconds == durations.need(["a"]).seconds == 2
    assert durations.need(["b"]).load == Need(()).load


def test_loads_that_took_place_are_averaged_alone() -> None:
    durations = Durations()
    durations.ended(["a"], 2, 4)
    durations.ended(["a"], 2, 0.001)

    assert durations.need(["a"]) == Need(("a",), 2, 4)


def test_averages_move_with_the_newest_value() -> None:
    durations = Durations()
    for seconds in (1, 2, 2):
        durations.ended(["a"], seconds, seconds)

    assert 1 < durations.need(["a"]).seconds < 2
    assert 1 < durations.need(["a"]).load < 2


def test_a_need_is_read_as_it_was_written_and_nothing_written_needs_no_file() -> None:
    need = Need(("a \n", "Ö"), 0.5, 3)

    assert Need.read(need.written()) == need
    assert Need.read("") == Need(())


def test_of_ever_new_files_those_are_forgotten_that_were_asked_for_longest_ago() -> None:
    durations = Durations()
    durations.ended(["first"], 9, 0)
    for number in range(2000):
        durations.ended([f"{number}"], 1, 0)
        durations.ended(["kept"], 5, 0)

    assert durations.need(["first"]).seconds < 3.5
    assert durations.need(["kept"]).seconds == 5
