"""A holder may have several secrets, each with an end; stores change while the APIs run."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typing_extensions import override

from ingest.memory import MemoryKeys
from models.errors import SettingsError, Unavailable
from models.ports import KeyStore
from models.role import Role
from models.settings import Settings
from models.settings.api_keys import ApiKey, digest_of, stored_keys
from models.settings.groups import Throttle
from serve_app.auth import Keys
from serve_app.keys_file import FileKeys
from tests.clock import Clock
from tests.models.settings.test_settings import REFERENCE

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
SECOND = 1.0
LOOK = 5.0


def key(name: str, *secrets: str, role: str = "artist", **more: Any) -> ApiKey:
    """Make an API key of its secrets' digests."""
    given = [{"sha256": digest_of(each), **more} for each in secrets]
    return ApiKey.model_validate({"name": name, "role": role, "secrets": given})


class Front:
    """API keys of settings and of stores, with clocks that a test moves."""

    def __init__(self, *keys: ApiKey, stores: Sequence[KeyStore] = ()) -> None:
        self.clock, self.wall = Clock(), Clock()
        self.wall.now = NEW_YEAR.timestamp() - SECOND
        self.keys = Keys(keys, Throttle(), stores, clock=self.clock, wall=self.wall)

    async def name(self, secret: str) -> str | None:
        holder = await self.keys.holder(secret.encode())
        return holder.name if holder else None


async def test_each_secret_of_a_name_lets_its_holder_in() -> None:
    front = Front(key("ana", "old", "new"), ApiKey.model_validate({"name": "bo", "key": "plain"}))

    assert [await front.name(each) for each in ("old", "new", "plain")] == ["ana", "ana", "bo"]
    assert await front.keys.holder(b"old") is await front.keys.holder(b"new")


async def test_a_digest_is_no_secret() -> None:
    assert await Front(key("ana", "old")).name(digest_of("old")) is None


async def test_a_secret_ends_at_its_moment_without_a_restart() -> None:
    front = Front(key("ana", "old", expires="2027-01-01"), key("ana", "new"))
    before = await front.name("old")
    front.wall.now = NEW_YEAR.timestamp()

    assert (before, await front.name("old"), await front.name("new")) == ("ana", None, "ana")


@pytest.mark.parametrize(
    "given",
    ["2027-01-01", "2027-01-01T00:00:00Z", "2027-01-01T01:00:00+01:00", NEW_YEAR, NEW_YEAR.date()],
)
def test_an_end_is_a_date_or_a_time_with_its_zone(given: object) -> None:
    made = ApiKey.model_validate({"name": "ana", "key": "k", "expires": given})

    assert made.expires == NEW_YEAR


@pytest.mark.parametrize("given", ["2027", "soon", "2027-01-01T00:00:00", 20270101, True, "", []])
def test_any_other_end_is_refused(given: object) -> None:
    with pytest.raises(SettingsError, match=r"apiKeys\[0\]\.expires: must be a date, or a time"):
        Settings.read(args=REFERENCE | {"apiKeys": [{"name": "a", "key": "k", "expires": given}]})


async def test_what_a_store_holds_is_known_some_seconds_later() -> None:
    store = MemoryKeys()
    front = Front(stores=[store])
    assert await front.name("new") is None

    store.keys = [key("ana", "new", role="operator")]
    front.clock.now += LOOK
    holder = await front.keys.holder(b"new")
    store.keys = []
    front.clock.now += LOOK

    assert holder is not None
    assert (holder.name, holder.role, holder.limited_to) == ("ana", Role.OPERATOR, None)
    assert await front.name("new") is None


class Moody(MemoryKeys):
    """Store that can be told not to answer."""

    answers = True

    @override
    async def read(self) -> Sequence[ApiKey]:
        if not self.answers:
            raise Unavailable("the table is away")
        return self.keys


async def test_a_store_that_goes_away_keeps_what_it_had(caplog: pytest.LogCaptureFixture) -> None:
    store = Moody([key("ana", "old", expires="2027-01-01")])
    front = Front(stores=[store])
    assert await front.name("old") == "ana"
    store.answers = False
    front.clock.now += LOOK

    assert await front.name("old") == "ana"
    assert caplog.messages == ["keys_not_read"]
    front.wall.now = NEW_YEAR.timestamp()
    assert await front.name("old") is None


async def test_before_a_store_has_answered_an_unknown_key_is_not_called_wrong() -> None:
    store = Moody()
    store.answers = False
    front = Front(key("bo", "bo's"), stores=[store])

    assert await front.name("bo's") == "bo"
    with pytest.raises(Unavailable):
        await front.name("ana's")


async def test_the_settings_say_the_role_of_a_name(tmp_path: Path) -> None:
    """A right to write a store does not make an operator of a name that is configured as artist."""
    front = Front(key("ana", "old"), stores=[MemoryKeys([key("ana", "new", role="operator")])])
    holder = await front.keys.holder(b"new")

    assert holder is not None
    assert holder.role is Role.ARTIST


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    front = Front(stores=[FileKeys(path)])
    assert await front.name("one") is None

    async def written(text: str) -> list[str | None]:
        part = path.with_suffix(".part")
        part.write_text(text)
        part.replace(path)
        front.clock.now += LOOK
        return [await front.name(each) for each in ("one", "two")]

    def document(secret: str) -> str:
        secrets = [{"sha256": digest_of(secret)}]
        return yaml.safe_dump({"keys": [{"name": "ana", "secrets": secrets}]})

    assert await written(document("one")) == ["ana", None]
    assert await written(document("two")) == [None, "ana"]
    assert await written("keys: [") == [None, "ana"]
    assert await written("") == [None, None]
    path.unlink()
    front.clock.now += LOOK
    assert await front.name("two") is None


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _under_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("no folder")


FAULTS = [os.mkfifo, Path.mkdir, _loop, _under_a_file]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_file_that_cannot_be_read_keeps_its_keys_for_a_minute(
    tmp_path: Path, fault: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "folder" / "keys.yaml"
    path.parent.mkdir()
    secrets = [{"sha256": digest_of("ana's")}]
    text = yaml.safe_dump({"keys": [{"name": "ana", "secrets": secrets}]})
    path.write_text(text)
    front = Front(key("bo", "bo's"), stores=[FileKeys(path)])
    before = await front.name("ana's")
    path.unlink()
    fault(path)

    async def after(seconds: float) -> list[str | None]:
        front.clock.now += seconds
        return [await front.name(each) for each in ("ana's", "bo's")]

    assert (before, await after(LOOK), await after(LOOK)) == ("ana", ["ana", "bo"], ["ana", "bo"])
    assert caplog.messages == ["keys_not_read"]

    front.clock.now += 60 - 2 * LOOK
    assert await front.name("bo's") == "bo"
    with pytest.raises(Unavailable):
        await front.name("ana's")
    assert caplog.messages == ["keys_not_read", "keys_not_valid_any_more"]

    if path.parent.is_file():
        path.parent.unlink()
        path.parent.mkdir()
    elif path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    path.write_text(text)
    assert await after(LOOK) == ["ana", "bo"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_file_that_never_could_be_read_is_no_reason_to_refuse_the_configured(
    tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    path = tmp_path / "folder" / "keys.yaml"
    path.parent.mkdir()
    fault(path)
    file = FileKeys(path)
    front = Front(key("bo", "bo's"), stores=[file])

    assert file.is_there
    assert await front.name("bo's") == "bo"
    with pytest.raises(Unavailable):
        await front.name("ana's")


@pytest.mark.parametrize(
    "document",
    [
        {"keys": [{"name": "ana", "secrets": [{"key": "s3cr3t-1"}]}]},
        {"keys": [{"name": "ana", "secrets": [{"sha256": "s3cr3t-1"}]}]},
        {"keys": {"ana": "s3cr3t-1"}},
        {"keys": [{"name": "ana", "secrets": [{"sha256": "0" * 64, "key": "s3cr3t-1"}]}]},
        {"keys": [{"name": "ana", "callbackSecret": "s3cr3t-1", "secrets": []}]},
        ["s3cr3t-1"],
        {"s3cr3t-1": 1},
        {1: "s3cr3t-1"},
    ],
)
def test_a_store_holds_digests_alone_and_is_not_quoted(document: Any) -> None:
    with pytest.raises(SettingsError, match=r"^keys\.yaml: ") as refused:
        stored_keys(document, "keys.yaml")

    assert "s3cr3t-1" not in str(refused.value)


def test_the_file_lies_beside_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(REFERENCE | {"apiKeysFile": "keys.yaml"}))

    assert Settings.read(path).api_keys_file == tmp_path / "keys.yaml"


def test_a_name_without_a_secret_needs_a_file_that_may_have_one() -> None:
    named = {"apiKeys": [{"name": "ana", "role": "viewer"}]}
    with pytest.raises(SettingsError, match="without one nobody comes in by it"):
        Settings.read(args=REFERENCE | named)

    assert Settings.read(args=REFERENCE | named | {"apiKeysFile": "keys.yaml"}).api_keys


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([{"name": "a", "key": "k"}, {"name": "b", "key": "k"}], "must be unique"),
        (
            [{"name": "a", "key": "k"}, {"name": "b", "secrets": [{"sha256": digest_of("k")}]}],
            "must be unique",
        ),
        (
            [{"name": "a", "key": "k"}, {"name": "a", "key": "l", "role": "viewer"}],
            r"apiKeys\[\]\.role must be the same",
        ),
        ([{"name": "a", "secrets": [{}]}], "must have a key or its sha256"),
        ([{"name": "a", "key": "k", "role": "king"}], "'viewer', 'artist' or 'operator'"),
        ([{"name": "", "key": "k"}], r"apiKeys\[0\]\.name"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(keys: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings.read(args=REFERENCE | {"apiKeys": keys})
