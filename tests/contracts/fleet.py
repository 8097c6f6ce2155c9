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
        assert await store.demands("unheard-of") == {}
        assert await store.supply("unheard-of") is None

    async def test_the_newest_is_read_whole(self, store: FleetStore) -> None:
        await store.write_demand("one", "a", replace(DEMAND, waiting=9))
        await store.write_demand("one", "a", DEMAND)
        await store.write_supply("one", SUPPLY)
        assert (await store.demands("one"), await store.supply("one")) == ({"a": DEMAND}, SUPPLY)

        newer = replace(SUPPLY, running=(), phase=None, obstacle=None)
        await store.write_supply("one", newer)

        assert (await store.demands("one"), await store.supply("one")) == ({"a": DEMAND}, newer)

    async def test_each_ingest_has_a_demand_of_its_own(self, store: FleetStore) -> None:
        other = replace(DEMAND, waiting=5)
        await store.write_demand("shared", "a", DEMAND)
        await store.write_demand("shared", "b", other)
        assert await store.demands("shared") == {"a": DEMAND, "b": other}

        await store.drop_demand("shared", "a")
        await store.drop_demand("shared", "never-there")

        assert await store.demands("shared") == {"b": other}

    async def test_runtimes_are_told_apart(self, store: FleetStore) -> None:
        other = replace(DEMAND, waiting=0)
        await store.write_demand("two", "a", DEMAND)
        await store.write_demand("two-more", "a", other)

        assert (await store.demands("two"), await store.supply("two")) == ({"a": DEMAND}, None)
        assert await store.demands("two-more") == {"a": other}
