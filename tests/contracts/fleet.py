"""Contract of `FleetStore`, which each implementation's tests subclass with a fixture ``store``."""

from dataclasses import replace

from models.fleet import Demand, StartPhase, Supply
from models.live import FleetStore

DEMAND = Demand(waiting=3, running=1, oldest_seconds=2.5, seconds=1.5, load_seconds=None, beat=7)
SUPPLY = Supply(
    wanted=2,
    running=("a", "b"),
    starting=1,
    start_seconds=60.5,
    reason="12 tasks wait 🎨",
    obstacle="no capacity",
    phase=StartPhase.NODE,
    never_started=True,
    beat=9,
)


class FleetStoreContract:
    """Tests of a store in which nothing was written."""

    async def test_what_was_never_written_is_none(self, store: FleetStore) -> None:
        assert await store.demand("unheard-of") is None
        assert await store.supply("unheard-of") is None

    async def test_the_newest_is_read_whole(self, store: FleetStore) -> None:
        await store.write_demand("one", DEMAND)
        await store.write_supply("one", SUPPLY)
        assert (await store.demand("one"), await store.supply("one")) == (DEMAND, SUPPLY)

        newer = replace(SUPPLY, running=(), phase=None, obstacle=None)
        await store.write_supply("one", newer)

        assert (await store.demand("one"), await store.supply("one")) == (DEMAND, newer)

    async def test_runtimes_are_told_apart(self, store: FleetStore) -> None:
        await store.write_demand("two", DEMAND)
        await store.write_demand("two-more", replace(DEMAND, waiting=0))

        assert await store.demand("two") == DEMAND
        assert await store.supply("two") is None
