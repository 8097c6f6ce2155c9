"""Mistakes in the work on dead letters, and in the time limits of tasks."""

from tests.mutants.mutant import Mutant

_WORK = "tests/ingest/test_dead_letters.py"
_LIMITS = "tests/ingest/test_time_limits.py"
_API = "tests/serve_app/native/test_dead_letters.py"

MUTANTS = (
    Mutant(
        mistake="a letter is deleted before it is sent",
        file="ingest/dead_letters.py",
        old="            await to.publish(*changed.message())\n"
        "            await visit.delete(letter.delivery)\n",
        new="            await visit.delete(letter.delivery)\n"
        "            await to.publish(*changed.message())\n",
        tests=_WORK,
    ),
    Mutant(
        mistake="letters that were looked at stay hidden",
        file="ingest/letter_visit.py",
        old="self.letters.extend(each, 0) for",
        new="self.letters.extend(each, 30) for",
        tests=_API,
    ),
    Mutant(
        mistake="a redrive takes what came back meanwhile, too",
        file="ingest/dead_letters.py",
        old="else letter.sent <= self.before",
        new="else letter.sent >= 0",
        tests=_API,
    ),
    Mutant(
        mistake="a letter without an identity of its own is another submission in each copy",
        file="ingest/letter.py",
        old="if not (self.queue.of_calls or is_wrapped or self.submission is None):",
        new="if self.queue.of_calls and not (is_wrapped or self.submission is None):",
        tests=_API,
    ),
    Mutant(
        mistake="two messages of one letter that is sent anew are two submissions",
        file="ingest/letter.py",
        old='name = f"{self.queue.name}/{self.id}".encode()',
        new='name = f"{self.queue.name}/{self.delivery.receipt}".encode()',
        tests=_API,
    ),
    Mutant(
        mistake="signatures of links are shown in messages",
        file="models/hidden.py",
        old='(f"?{_HIDDEN}" if more else "")',
        new='"".join(more)',
        tests="tests/models/test_hidden.py",
    ),
    Mutant(
        mistake="anybody with a key works with dead letters",
        file="serve_app/native/routes.py",
        old="_add_dead_letters(partial(add, role=Role.OPERATOR), letters)",
        new="_add_dead_letters(partial(add, role=Role.ARTIST), letters)",
        tests=_API,
    ),
    Mutant(
        mistake="a task that waits for a replica expires only in the queue",
        file="ingest/run.py",
        old="        if self._expired:\n            self._updates.cancel()\n",
        new="",
        tests=_LIMITS,
    ),
    Mutant(
        mistake="a task that expired in the queue is drawn",
        file="ingest/worker.py",
        old="            limits.check(begun=known.attempt > 0)\n",
        new="",
        tests=_LIMITS,
    ),
    Mutant(
        mistake="a task that has begun is ended by its ttl",
        file="ingest/run.py",
        old="lambda: has_begun or self._start is not None",
        new="lambda: has_begun",
        tests=_LIMITS,
    ),
    Mutant(
        mistake="a task that lost its replica is ended by its ttl",
        file="ingest/worker.py",
        old="limits.check(begun=known.attempt > 0)",
        new="limits.check(begun=False)",
        tests=_LIMITS,
    ),
    Mutant(
        mistake="all dead letters are deleted without a question",
        file="cli/dlq.py",
        old="    if all_ and not yes:\n",
        new="    if all_ and yes:\n",
        tests="tests/cli/test_dlq.py",
    ),
)
