"""Scaler of a runtime: reads the demand, decides by the policy, and tells the supply."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from deployments.autoscaling.background import Background
from deployments.autoscaling.demand_reader import DemandReader
from deployments.autoscaling.start_state import StartState
from deployments.autoscaling.starts import Retry, Starts
from deployments.scaling import Decision, Memory, Observed, decide
from models.fleet import Supply
from models.live import FleetStore
from models.settings.scaling import Scaling

_WRITE_SECONDS = 1.0
_LOOK_SECONDS = 2.0


class RuntimeScaler:
    """Scaler of one runtime's replicas, in an event loop that it never keeps waiting.

    ``rules``: with both bounds set; ``lease_seconds``: after which the tasks of a killed ingest
    replica are back in the queue; ``look``: tells how the starts get on.
    """

    def __init__(
        self,
        *,
        runtime: str,
        rules: Scaling,
        store: FleetStore,
        lease_seconds: float,
        look: Callable[[], Awaitable[StartState]],
    ) -> None:
        self._runtime = runtime
        self._rules = rules
        self._store = store
        self._look = look
        self._demands = DemandReader(runtime, store, lease_seconds)
        self._writes = Background(f"write the supply of {runtime}", _WRITE_SECONDS)
        self._looks = Background(f"look at the starts of {runtime}", _LOOK_SECONDS)
        self._has_recalled = False
        self._memory = Memory()
        self._starts = Starts()
        self._start_state = StartState()
        self._failure: str | None = None
        self._retry = Retry()
        self._has_run = False
        self._supply = Supply(wanted=0)

    def wanted(self, target: int, running: Sequence[str], now: float) -> int:
        """Return the number of replicas to have now; to be called in the event loop, at any pace.

        ``target``: the number that was wanted until now; ``running``: names of the replicas that
        take tasks; ``now``: seconds of a monotonic clock.
        """
        self._note(target, len(running), now)
        decision = decide(
            self._demands.demand(now),
            Observed(target=target, running=len(running), start_seconds=self._starts.seconds),
            self._rules,
            self._memory,
            now=now,
            wall=datetime.now(UTC),
        )
        self._memory = decision.memory
        self._tell(decision, running, now)
        return 0 if self._retry.is_now(self._start_state.given_up, now) else decision.wanted

    def _note(self, target: int, running: int, now: float) -> None:
        """Note how the starts get on; look at them while replicas are wanted that do not run."""
        self._starts.note(target, running, now)
        if running:
            self._has_run, self._failure = True, None
            self._retry.forgive()
        if running < target or self._start_state.given_up or not self._start_state.settled:
            self._looks.begin(self._look_at_starts, now)
        else:
            self._start_state = StartState()

    async def _look_at_starts(self) -> None:
        self._start_state = await self._look()
        # Kept while Serve tries again, until a replica runs.
        self._failure = self._start_state.failure or self._failure

    def _tell(self, decision: Decision, running: Sequence[str], now: float) -> None:
        """Write the supply if it has changed, and each second so that its beat goes on."""
        starting, state = max(decision.wanted - len(running), 0), self._start_state
        supply = Supply(
            wanted=decision.wanted,
            ingests=self._demands.ingests(now),
            running=tuple(sorted(running)),
            starting=starting,
            starting_seconds=float(int(self._starts.longest(now))) if starting else 0.0,
            start_seconds=self._starts.seconds,
            reason=decision.reason,
            obstacle=(state.obstacle or state.failure or self._failure) if starting else None,
            phase=state.phase if starting else None,
            never_started=bool(starting) and not self._has_run,
            beat=self._supply.beat,
        )
        next_one = replace(supply, beat=supply.beat + 1)
        if self._writes.begin(partial(self._write, next_one), now, early=supply != self._supply):
            self._supply = next_one

    async def _write(self, supply: Supply) -> None:
        if not self._has_recalled:
            # Another scaler of this runtime was here before, in an older controller or version.
            if last := await self._store.supply(self._runtime):
                self._recall(last)
            self._has_recalled = True
            supply = replace(
                supply,
                beat=self._supply.beat,
                start_seconds=self._starts.seconds,
                never_started=supply.never_started and not self._has_run,
            )
        await self._store.write_supply(self._runtime, supply)

    def _recall(self, last: Supply) -> None:
        # The newest supply is known by its beat.
        self._supply = replace(self._supply, beat=self._supply.beat + last.beat)
        if self._starts.seconds is None:
            self._starts.seconds = last.start_seconds
        # A controller that was restarted finds them again within a second or so: that is no start.
        self._starts.skip(len(last.running))
        has_started = last.starting and not last.never_started
        if last.running or last.start_seconds is not None or has_started:
            self._has_run = True
