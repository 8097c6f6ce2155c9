"""Mistakes of the choice which task goes to which replica, and of the simulator that runs it."""

from tests.mutants.mutant import Mutant

_PENDING = "tests/deployments/routing/test_pending.py"
_ROUTER = "tests/bench/test_router.py"
_ADMISSION = "tests/deployments/routing/test_admission.py"
_STATE = "tests/deployments/routing/test_replica_state.py"
_DISPATCHER = "tests/deployments/routing/test_dispatcher.py"

_CANDIDATES = "tests/deployments/routing/test_candidates.py"

_REQUEST_ROUTER = "tests/deployments/routing/test_request_router.py"

_ROUTED = "tests/bench/test_routed.py"

_FEWEST = "tests/bench/test_fewest.py"

_HANDLES = "tests/serve_app/test_handles.py"

MUTANTS = (
    Mutant(
        mistake="a measurement begins with no replica at all",
        file="bench/router_cpu.py",
        old='typer.Option(min=1, help="of a fleet',
        new='typer.Option(help="of a fleet',
        tests="tests/bench/test_options.py",
    ),
    Mutant(
        mistake="a refused task hides another one that its replica has",
        file="deployments/routing/dispatcher.py",
        old="            self.end(before, refusal.replica)\n",
        new="",
        tests=_DISPATCHER,
    ),
    Mutant(
        mistake="a call that was refused is taken for one that ran",
        file="deployments/routing/request_router.py",
        old="            answer.when_run(partial(loop.call_soon_threadsafe, end))",
        new="            loop.call_soon_threadsafe(end)",
        tests=_REQUEST_ROUTER,
    ),
    Mutant(
        mistake="a replica idles until the answer of its last task is read to the end",
        file="serve_app/handles.py",
        old="                    answer.note_run()\n",
        new="",
        tests=_HANDLES,
    ),
    Mutant(
        mistake="a call that failed counts as at its replica for ever",
        file="serve_app/handles.py",
        old="        finally:\n            answer.note_run()\n",
        new="        finally:\n",
        tests=_HANDLES,
    ),
    Mutant(
        mistake="a task that was refused is sent again as if it had not been",
        file="serve_app/handles.py",
        old="                request = request.refused(refusal, answer)\n",
        new="",
        tests=_HANDLES,
    ),
    Mutant(
        mistake="who leaves does not stop the run that a replica took in the end",
        file="serve_app/handles.py",
        old="                stream.cancel()",
        new="                pass",
        tests=_HANDLES,
    ),
    Mutant(
        mistake="a choice looks at every replica",
        file="deployments/routing/candidates.py",
        old="holders = [each for each in self._alike.values() if each.holds.issuperset(files)]",
        new="holders = [Alike(each.holds, 0) for each in self._candidates.values()]",
        tests=_CANDIDATES,
    ),
    Mutant(
        mistake="a task waits for others like it while the fleet idles",
        file="deployments/routing/pending.py",
        old="        return work < QUIET",
        new="        return bool(work < 0) and QUIET",
        tests=_PENDING,
    ),
    Mutant(
        mistake="a replica that is wanted soon again loads for whoever comes",
        file="deployments/routing/pending.py",
        old="        return work < QUIET",
        new="        return bool(work) or QUIET",
        tests=_PENDING,
    ),
    Mutant(
        mistake="what a replica has loaded since is not found",
        file="deployments/routing/candidates.py",
        old="                known.holders.append(alike)",
        new="                pass",
        tests=_CANDIDATES,
    ),
    Mutant(
        mistake="a replica that is gone is sent tasks",
        file="deployments/routing/dispatcher.py",
        old="            self._pending.candidates.remove(name)",
        new="            pass",
        tests=_DISPATCHER,
    ),
    Mutant(
        mistake="a replica counts as busy after its task has ended",
        file="deployments/routing/dispatcher.py",
        old="            state.end(task)\n            self._changed.add(replica)",
        new="            state.end(task)",
        tests=_DISPATCHER,
    ),
    Mutant(
        mistake="nobody looks again at a replica that never got its task",
        file="deployments/routing/dispatcher.py",
        old="in (self._others, self._sent) if",
        new="in (self._others,) if",
        tests=_DISPATCHER,
    ),
    Mutant(
        mistake="two routers have one idle replica load, each other files",
        file="deployments/routing/admission.py",
        old=" and runs)",
        new=" and False)",
        tests=_ADMISSION,
    ),
    Mutant(
        mistake="between two tasks of a router another one has its replica load",
        file="deployments/routing/admission.py",
        old="self._runs or int(self._is_kept(files, request.router))",
        new="self._runs",
        tests=f"{_ADMISSION} {_ROUTED}",
    ),
    Mutant(
        mistake="a replica is kept from the router for which it is kept",
        file="deployments/routing/admission.py",
        old="self._followed - {router}",
        new="self._followed",
        tests=_ADMISSION,
    ),
    Mutant(
        mistake="a replica is kept for files that it has no longer",
        file="deployments/routing/admission.py",
        old="            self._followed.clear()\n",
        new="",
        tests=_ADMISSION,
    ),
    Mutant(
        mistake="a replica is kept for as long as its load takes, though it takes a minute",
        file="deployments/routing/admission.py",
        old="min(_KEPT_SHARE * request.need.load, _KEPT_SECONDS)",
        new="request.need.load",
        tests=_ADMISSION,
    ),
    Mutant(
        mistake="no task tells that others follow",
        file="deployments/routing/dispatcher.py",
        old="is_followed=self._pending.waits_for(waiting.need.files)",
        new="is_followed=False",
        tests=f"{_DISPATCHER} {_ROUTED}",
    ),
    Mutant(
        mistake="the fewest loads are reckoned as if a replica drew while it loads",
        file="bench/routed/fewest.py",
        old="for begun in range(since, step)",
        new="for begun in range(0)",
        tests=_FEWEST,
    ),
    Mutant(
        mistake="the fewest loads are those of a router that makes no task late",
        file="bench/routed/fewest.py",
        old="most=beyond_p99(len(self._tasks))",
        new="most=0",
        tests=_FEWEST,
    ),
    Mutant(
        mistake="a replica takes what another router's turn has made it unload",
        file="deployments/routing/admission.py",
        old="request.claim is Claim.HAS or ",
        new="",
        tests=_ADMISSION,
    ),
    Mutant(
        mistake="a replica that was renewed counts as one that has its files",
        file="deployments/replica.py",
        old="        self.holds = ()\n        await self.adapter.close()",
        new="        await self.adapter.close()",
        tests="tests/deployments/test_replica.py",
    ),
    Mutant(
        mistake="what a replica said before its last task counts again",
        file="deployments/routing/replica_state.py",
        old=" and changes != self._changes",
        new="",
        tests=_STATE,
    ),
    Mutant(
        mistake="a task that never reached its replica takes its room for ever",
        file="deployments/routing/replica_state.py",
        old="each.accepted or now < each.at + SEND_SECONDS",
        new="True",
        tests=_STATE,
    ),
    Mutant(
        mistake="one router fills a replica that several share",
        file="deployments/routing/dispatcher.py",
        old=" // self._routers)",
        new=")",
        tests=_DISPATCHER,
    ),
    Mutant(
        mistake="a task that was refused waits for another turn",
        file="deployments/routing/dispatcher.py",
        old='turn, before = self._turns.pop(request.key, (None, ""))',
        new='turn, before = None, self._turns.pop(request.key, (None, ""))[1]',
        tests=_DISPATCHER,
    ),
    Mutant(
        mistake="a task may be refused for ever",
        file="deployments/routing/dispatcher.py",
        old=" or found.request.refusals >= _MOST_REFUSALS",
        new="",
        tests=_DISPATCHER,
    ),
    Mutant(
        mistake="the router chooses among no more than the replicas admit",
        file="ingest/fleet.py",
        old="is_stale else capacity if running",
        new="is_stale else running * self.admit if running",
        tests="tests/ingest/test_fleet.py",
    ),
    Mutant(
        mistake="a task that has waited for long is passed over for ever",
        file="deployments/routing/pending.py",
        old="each[0] <= now)",
        new="False)",
        tests=_PENDING,
    ),
    Mutant(
        mistake="a replica that a due task needs is filled with what is asked for more",
        file="deployments/routing/candidates.py",
        old="            self._kept.add(kept)\n",
        new="            pass\n",
        tests=_PENDING,
    ),
    Mutant(
        mistake="a replica that idles loads for a single task what another has",
        file="deployments/routing/pending.py",
        old="backlog / holders >= cost",
        new="True",
        tests=_PENDING,
    ),
    Mutant(
        mistake="cold checkpoints take the replicas of hot ones",
        file="deployments/routing/alike.py",
        old="(1 + self.often)",
        new="1",
        tests=_PENDING,
    ),
    Mutant(
        mistake="all routers load whatever they need on the same empty replica",
        file="deployments/routing/candidates.py",
        old="_Known(crc32(repr(files).encode()), holders)",
        new="_Known(0, holders)",
        tests=_PENDING,
    ),
    Mutant(
        mistake="replicas that work are hidden from the simulated choice",
        file="bench/simulation/router.py",
        old="*((seat, 1) for seat in busy)]",
        new="]",
        tests=_ROUTER,
    ),
)
