import pickle
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given, strategies as st

from models.errors import InputRefused, InvalidTask, RuntimeUnavailable, TaskFailed
from models.notification import failure_output, notification
from models.report import Failure, Report, Status
from models.task import Kind, Task, clean_prefix

TASK = Task(submission="s", id="a", runtime="r", kind="text-to-image", prefix="p", context=[1])


def test_keys_are_a_function_of_the_submission() -> None:
    again = Task(submission="s", id="a", runtime="r", kind="text-to-image", prefix="p")
    other = Task(submission="t", id="a", runtime="r", kind="text-to-image", prefix="p")

    assert TASK.stem == again.stem
    assert TASK.stem != other.stem
    assert TASK.stem.startswith("p/a/a-")
    assert Task(submission="s", id="a", runtime="r", kind="k").stem.startswith("a/a-")


def test_submissions_of_one_id_never_share_a_key() -> None:
    sent = [str(uuid5(NAMESPACE_URL, str(number))) for number in range(20_000)]

    stems = {replace(TASK, submission=submission).stem for submission in sent}

    assert len(stems) == len(sent)
    assert replace(TASK, submission=sent[0], context=["a retry"]).stem in stems


@pytest.mark.parametrize(
    ("given", "clean"), [("a//b/", "a/b"), ("/a", "a"), ("", ""), ("a b/é", "a b/é")]
)
def test_slashes_of_a_prefix_are_collapsed(given: str, clean: str) -> None:
    assert clean_prefix(given) == clean


@pytest.mark.parametrize("prefix", ["..", "a/../b", "a/./b", "a\nb", "a\x00"])
def test_a_prefix_does_not_leave_its_folder(prefix: str) -> None:
    with pytest.raises(InvalidTask):
        clean_prefix(prefix)


@given(st.text())
def test_a_clean_prefix_is_clean(prefix: str) -> None:
    try:
        clean = clean_prefix(prefix)
    except InvalidTask:
        return
    assert clean_prefix(clean) == clean
    assert clean == "" or "" not in clean.split("/")


def test_both_spellings_of_a_batch_are_one_kind() -> None:
    assert Kind("extra-batch-image") is Kind("extra-batch-images") is Kind.EXTRA_BATCH_IMAGES


def test_a_notification_has_the_contracts_keys() -> None:
    report = Report.of(TASK, Status.RUNNING, 1)
    done = notification(report.completed(("s3://b/1.png",), "s3://b/x.out", {}), TASK.context)
    lost = notification(report.failed(TaskFailed("no"), "s3://b/x.out"), TASK.context)
    runs = notification(report, TASK.context)

    assert done == {
        "runtime": "r",
        "id": "a",
        "status": "completed",
        "result": True,
        "image_url": ["s3://b/1.png"],
        "output_url": "s3://b/x.out",
        "context": [1],
        "submission": "s",
    }
    assert (lost["status"], lost["result"], lost["image_url"]) == ("failed", False, [])
    assert runs == {
        "runtime": "r",
        "id": "a",
        "status": "running",
        "context": [1],
        "submission": "s",
    }


def test_the_output_of_a_failure_says_why() -> None:
    report = Report.of(TASK, Status.RUNNING, 1)
    out = failure_output(TASK, report.failed(TaskFailed("no", reason={"detail": "x"})))

    assert out["images"] == [""]
    assert out["parameters"] == {
        "id_task": "a",
        "status": 0,
        "error_msg": "no",
        "error": "TaskFailed",
        "reason": {"detail": "x"},
    }


def test_errors_travel_whole_and_keep_their_names() -> None:
    refused = pickle.loads(pickle.dumps(InputRefused("link", reason=[1])))

    class MadeUp(RuntimeUnavailable):  # as Ray makes a class up around ours
        pass

    assert (type(refused), str(refused), refused.reason) == (InputRefused, "link", [1])
    assert Failure.of(MadeUp("gone")).kind == "RuntimeUnavailable"
    assert str(TaskFailed()) == TaskFailed.__doc__
