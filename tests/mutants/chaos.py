"""Mistakes of the chaos runs: of their faults, and of the audit that tells of broken promises."""

from tests.mutants.mutant import Mutant

_AUDIT = "tests/bench/chaos/test_audit.py"
_PROXY = "tests/bench/chaos/test_proxy.py"
_STALLS = "tests/bench/chaos/test_stalls.py"
_TIMETABLE = "tests/bench/chaos/test_timetable.py"

MUTANTS = (
    Mutant(
        mistake="two submissions of one idempotency key are no fault",
        file="bench/chaos/audit.py",
        old="return story.tries if story.plan.way is Way.DIALECT else 1",
        new="return story.tries + 1",
        tests=_AUDIT,
    ),
    Mutant(
        mistake="a task may fail where its runtime was killed before it came",
        file="bench/chaos/audit.py",
        old="sum(story.accepted_at < at < row.updated for at in observed.kills)",
        new="len(observed.kills)",
        tests=_AUDIT,
    ),
    Mutant(
        mistake="what a cancelled task has left belongs to it",
        file="bench/chaos/audit.py",
        old="named = {uri for row in rows for uri in (*row.artifacts, row.output)}",
        new="named = {uri for uri in observed.objects for row in rows if f'/{row.id}/' in uri}",
        tests=_AUDIT,
    ),
    Mutant(
        mistake="a lost answer is a lost request",
        file="bench/chaos/proxy.py",
        old="            case ProxyFault.REQUEST_LOST:\n",
        new="            case ProxyFault.REQUEST_LOST | ProxyFault.ANSWER_LOST:\n",
        tests=_PROXY,
    ),
    Mutant(
        mistake="a GPU without a task stalls",
        file="bench/chaos/stalls.py",
        old="        if there:\n            yield Span(max(gap.begin, min(there)), gap.end)",
        new="        yield Span(max(gap.begin, min(there, default=gap.begin)), gap.end)",
        tests=_STALLS,
    ),
    Mutant(
        mistake="a kind of mishap comes up again before all have",
        file="bench/chaos/timetable.py",
        old="yield from random.sample(kinds, len(kinds))",
        new="yield random.choice(kinds)",
        tests=_TIMETABLE,
    ),
)
