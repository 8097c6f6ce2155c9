"""Stalls: no GPU at work although a task waited."""

import json
from pathlib import Path

from bench.chaos.stalls import (
    Span,
    after_outages,
    apart,
    longest,
    merged,
    read_gpu_log,
    stalls,
)

WORK = [Span(10, 12), Span(11, 13), Span(20, 21), Span(22, 23)]


def test_a_stall_is_a_gap_in_which_a_task_waited() -> None:
    assert stalls(WORK, [Span(9, 21)]) == [Span(13, 20)]


def test_a_gap_without_a_task_is_none_and_one_begins_with_the_task() -> None:
    assert stalls(WORK, [Span(9, 13)]) == []
    assert stalls(WORK, [Span(15, 21), Span(16, 23)]) == [Span(15, 20), Span(21, 22)]


def test_the_time_past_an_outage_ends_with_the_next_begin() -> None:
    waiting = [Span(9, 23)]

    assert after_outages([Span(14, 18)], WORK, waiting) == [Span(18, 20)]
    assert after_outages([Span(14, 20)], WORK, waiting) == [Span(20, 20)]
    assert after_outages([Span(14, 18)], WORK, [Span(9, 13)]) == []
    assert longest(after_outages([], WORK, waiting)) == 0


def test_outages_near_a_kill_are_left_out() -> None:
    outages = [Span(100, 104), Span(200, 204)]

    assert apart(outages, [Span(110, 111)], 5) == outages
    assert apart(outages, [Span(110, 111)], 20) == [Span(200, 204)]


def test_faults_that_touch_are_one() -> None:
    assert merged([Span(4, 6), Span(1, 2), Span(2, 3), Span(5, 9)]) == [Span(1, 3), Span(4, 9)]


def test_the_log_of_gpus_is_read_without_loads(tmp_path: Path) -> None:
    log = tmp_path / "gpu.jsonl"
    lines = [
        {"task": "b", "start": 3, "end": 4},
        {"load": "one", "start": 0, "end": 1},
        {"task": "a", "start": 1, "end": 2},
    ]
    torn = '{"task": "c", "sta'
    log.write_text("".join(json.dumps(line) + "\n" for line in lines) + torn)

    assert [each.task for each in read_gpu_log(log)] == ["a", "b"]
    assert read_gpu_log(tmp_path / "none") == []
