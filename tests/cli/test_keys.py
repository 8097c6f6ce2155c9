"""`atelier keys` over a file."""

import fcntl
import json
import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from atelier import Misused
from cli.keys.keyring import FileKeyring
from cli.keys.secrets import SecretRequest, new_secret, with_secret
from cli.main import app
from models.role import Role
from models.settings import Settings
from models.settings.api_keys import keys_in
from serve_app.auth import Keys
from serve_app.keys_file import FileKeys
from tests.models.settings.test_settings import REFERENCE

Keyring = Callable[..., Result]
CONFIG = REFERENCE | {
    "apiKeysFile": "keys.yaml",
    "apiKeys": [{"name": "cy", "key": "cy's configured key", "role": "viewer"}],
}


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    """Command in a folder with a configuration."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))

    def call(*args: str) -> Result:
        return CliRunner().invoke(app, ["keys", *args], catch_exceptions=False)

    return call


async def whose(secret: str) -> tuple[str, str] | None:
    """Return name and role that an HTTP API, just started, gives to this key."""
    settings = Settings.read(Path("config.yaml"))
    assert settings.api_keys_file is not None
    keys = Keys(settings.api_keys, settings.gateway.throttle, [FileKeys(settings.api_keys_file)])
    holder = await keys.holder(secret.encode())
    return (holder.name, str(holder.role)) if holder else None


def listed(keyring: Keyring) -> list[dict[str, str]]:
    return [json.loads(line) for line in keyring("list", "--json").stdout.splitlines()]


async def test_a_new_key_comes_in_and_is_shown_once(keyring: Keyring) -> None:
    secret = keyring("new", "ana").stdout.strip()

    assert re.fullmatch(r"atelier[A-Za-z0-9]{43}", secret)
    assert await whose(secret) == ("ana", "artist")
    assert secret not in "".join(keyring(*args).output for args in (["list"], ["list", "--json"]))


def test_the_file_has_no_secret(keyring: Keyring) -> None:
    secret = keyring("new", "ana").stdout.strip()

    assert secret not in Path("keys.yaml").read_text()


async def test_a_name_has_several_secrets_and_one_role(keyring: Keyring) -> None:
    first = keyring("new", "olga", "--role", "operator").stdout.strip()
    second = keyring("new", "olga").stdout.strip()
    refused = keyring("new", "olga", "--role", "viewer")

    assert await whose(first) == await whose(second) == ("olga", "operator")
    assert refused.exit_code == 2
    assert "olga is known as operator" in refused.stderr
    assert "cy is known as viewer" in keyring("new", "cy", "--role", "artist").stderr
    assert await whose(keyring("new", "cy").stdout.strip()) == ("cy", "viewer")


async def test_what_is_revoked_comes_in_no_more(keyring: Keyring) -> None:
    old = json.loads(keyring("new", "ana", "--json").stdout)
    new = json.loads(keyring("new", "ana", "--json").stdout)
    gone = keyring("revoke", "ana", "--id", old["id"])

    assert gone.exit_code == 0
    assert (await whose(old["secret"]), await whose(new["secret"])) == (None, ("ana", "artist"))
    states = {row["id"]: row["state"] for row in listed(keyring) if row["name"] == "ana"}
    assert states == {old["id"]: "expired", new["id"]: "valid"}

    keyring("revoke", "ana")

    assert await whose(new["secret"]) is None
    assert keyring("revoke", "ana").exit_code == 2


async def test_a_key_of_the_configuration_is_revoked_there(keyring: Keyring) -> None:
    secret = keyring("new", "cy").stdout.strip()
    gone = keyring("revoke", "cy")

    assert "the configuration has a key of cy, too" in gone.stderr
    assert (await whose(secret), await whose("cy's configured key")) == (None, ("cy", "viewer"))


@pytest.mark.parametrize("given", ["2999-01-31", "2999-01-31T00:00:00Z"])
def test_an_end_is_listed(keyring: Keyring, given: str) -> None:
    keyring("new", "ana", "--expires", given)

    assert [row["expires"] for row in listed(keyring)] == ["", "2999-01-31T00:00:00+00:00"]


def test_an_end_may_be_some_days_from_now(keyring: Keyring) -> None:
    told = json.loads(keyring("new", "ana", "--expires", "90d", "--json").stdout)
    left = datetime.fromisoformat(told["expires"]) - datetime.now(UTC)

    assert timedelta(days=89) < left <= timedelta(days=90)


@pytest.mark.parametrize("given", ["soon", "90", "2027-01-31T12:00", "-1d", ""])
def test_any_other_end_is_refused_and_nothing_written(keyring: Keyring, given: str) -> None:
    refused = keyring("new", "ana", "--expires", given)

    assert refused.exit_code == 2
    assert "--expires: must be a date" in refused.stderr
    assert not Path("keys.yaml").exists()


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 129])
def test_a_name_that_none_can_have_is_refused(keyring: Keyring, name: str) -> None:
    assert keyring("new", name).exit_code == 2
    assert not Path("keys.yaml").exists()


def test_the_file_is_its_owners_alone_and_written_whole(keyring: Keyring) -> None:
    keyring("new", "ana")
    keyring("new", "bo")

    assert stat.S_IMODE(Path("keys.yaml").stat().st_mode) == 0o600
    there = {path.name for path in Path().iterdir()}
    assert there == {"config.yaml", "keys.yaml", ".keys.yaml.lock"}
    assert [key.name for key in keys_in(Path("keys.yaml"))] == ["ana", "bo"]


def test_a_configuration_that_does_not_read_the_file_is_told_of(keyring: Keyring) -> None:
    Path("config.yaml").write_text(yaml.safe_dump(REFERENCE))
    made = keyring("new", "ana")

    assert "add `apiKeysFile: keys.yaml`" in made.stderr
    assert Path("keys.yaml").exists()


@pytest.mark.parametrize(
    "text", ["keys: [", "keys: [{name: ana, secrets: [{key: s3cr3t-1}]}]", "x"]
)
def test_a_broken_file_stays_as_it_is_and_is_not_quoted(keyring: Keyring, text: str) -> None:
    Path("keys.yaml").write_text(text)
    for args in (["new", "ana"], ["list"], ["revoke", "ana"]):
        refused = keyring(*args)

        assert refused.exit_code == 2
        assert "keys.yaml" in refused.stderr
        assert "s3cr3t-1" not in refused.output
    assert Path("keys.yaml").read_text() == text


def test_secrets_are_made_up_anew() -> None:
    assert len({new_secret() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("9999-12-31T23:59:59-12:00", "years 1 to 9999"),
        ("0001-01-01T00:00:00+14:00", "years 1 to 9999"),
        ("2020-01-31", "must lie ahead"),
        ("2020-01-31T12:00:00Z", "must lie ahead"),
        ("0d", "must lie ahead"),
    ],
)
def test_an_end_out_of_reach_is_refused_before_anything_is_stored(
    keyring: Keyring, given: str, said: str
) -> None:
    refused = keyring("new", "ana", "--expires", given)

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert said in " ".join(refused.stderr.split())
    assert not Path("keys.yaml").exists()


def test_an_end_out_of_reach_in_the_file_is_named(keyring: Keyring) -> None:
    ends = {"sha256": "0" * 64, "expires": "9999-12-31T23:59:59-12:00"}
    Path("keys.yaml").write_text(yaml.safe_dump({"keys": [{"name": "q", "secrets": [ends]}]}))
    refused = keyring("list")

    assert refused.exit_code == 2
    assert "keys[0].secrets[0].expires" in refused.stderr


def test_a_file_that_is_written_keeps_its_mode(keyring: Keyring) -> None:
    keyring("new", "ana")
    Path("keys.yaml").chmod(0o640)
    keyring("revoke", "ana")

    assert stat.S_IMODE(Path("keys.yaml").stat().st_mode) == 0o640


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_that_root_writes_keeps_its_owner_and_group(keyring: Keyring) -> None:
    keyring("new", "ana")
    os.chown("keys.yaml", 4242, 4343)
    keyring("revoke", "ana")

    found = Path("keys.yaml").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4242, 4343, 0o600)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_whoever_may_not_keep_the_owner_writes_nothing(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    keyring("new", "ana")
    os.chown("keys.yaml", 4242, 4343)
    before = Path("keys.yaml").read_bytes()
    monkeypatch.setattr(os, "fchown", refuse)
    refused = keyring("revoke", "ana")

    assert refused.exit_code == 2
    assert "as that user, or as root" in " ".join(refused.stderr.split())
    assert Path("keys.yaml").read_bytes() == before
    assert not list(Path().glob(".keys.yaml.[0-9]*"))


def test_a_link_stays_and_the_file_that_it_leads_to_is_written(keyring: Keyring) -> None:
    Path("mounted").mkdir()
    Path("keys.yaml").symlink_to("mounted/real.yaml")
    keyring("new", "ana")
    keyring("new", "bo")

    assert Path("keys.yaml").is_symlink()
    assert [key.name for key in keys_in(Path("mounted/real.yaml"))] == ["ana", "bo"]


def loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, loop])
@pytest.mark.parametrize("args", [["list"], ["new", "ana"], ["revoke", "ana"]])
def test_what_is_no_file_is_refused_at_once(
    keyring: Keyring, make: Callable[[Path], None], args: list[str]
) -> None:
    make(Path("keys.yaml"))
    refused = keyring(*args)

    assert refused.exit_code == 2
    assert "keys.yaml" in refused.stderr


def test_no_writer_loses_what_another_wrote(keyring: Keyring) -> None:
    def add(name: str) -> None:
        ring = FileKeyring(Path("config.yaml"))
        wanted = SecretRequest(name=name, role=None, expires=None)
        with ring.locked():
            ring.write(with_secret(ring.read(), wanted, Role.ARTIST, new_secret()))

    names = [f"n{n}" for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, names))

    assert sorted(key.name for key in keys_in(Path("keys.yaml"))) == sorted(names)


def test_a_writer_waits_for_another_no_longer_than_its_deadline(keyring: Keyring) -> None:
    keyring("new", "ana")
    with Path(".keys.yaml.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ring = FileKeyring(Path("config.yaml"), patience=0)
        with pytest.raises(Misused, match="somebody else is changing"), ring.locked():
            pass
