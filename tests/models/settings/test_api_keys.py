from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from models.errors import SettingsError
from models.role import Role
from models.settings.api_keys import (
    ApiKey,
    KeySecret,
    as_document,
    digest_of,
    keys_in,
    moment,
    stored_keys,
)

MIDNIGHT = datetime(2027, 1, 31, tzinfo=UTC)
DIGEST = digest_of("made up")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("2027-01-31", MIDNIGHT),
        (date(2027, 1, 31), MIDNIGHT),
        ("2027-01-31T00:00:00Z", MIDNIGHT),
        ("2027-01-31T02:00:00+02:00", MIDNIGHT),
        (datetime(2027, 1, 31, 2, tzinfo=timezone(timedelta(hours=2))), MIDNIGHT),
    ],
)
def test_a_date_or_a_time_with_its_zone_is_a_moment(given: object, found: datetime) -> None:
    assert moment(given) == found


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("soon", "must be a date"),
        ("2027-31-01", "must be a date"),
        ("2027-01-31T12:00:00", "must be a date"),
        (20270131, "must be a date"),
        ("0001-01-01T00:00:00+14:00", "must lie in the years"),
    ],
)
def test_anything_else_is_none(given: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        moment(given)


def test_a_secret_is_refused_from_the_moment_on_at_which_it_expires() -> None:
    secret = KeySecret.model_validate({"sha256": DIGEST, "expires": "2027-01-31"})

    assert not secret.expired(MIDNIGHT.timestamp() - 1)
    assert secret.expired(MIDNIGHT.timestamp())
    assert not KeySecret.model_validate({"sha256": DIGEST}).expired(1e12)


def test_a_secret_and_its_digest_are_the_same_key() -> None:
    plain = KeySecret.model_validate({"key": "made up"})

    assert plain.digest == KeySecret.model_validate({"sha256": DIGEST}).digest == DIGEST


def test_a_keys_own_secret_comes_before_its_others() -> None:
    key = ApiKey.model_validate(
        {"name": "me", "key": "first", "secrets": [{"sha256": DIGEST}], "expires": "2027-01-31"}
    )

    assert [secret.digest for secret in key.all_secrets] == [digest_of("first"), DIGEST]
    assert key.all_secrets[0].expires == MIDNIGHT
    assert key.all_secrets[1].expires is None


def test_what_is_written_is_read_again() -> None:
    keys = (
        ApiKey.model_validate(
            {"name": "me", "role": "viewer", "secrets": [{"sha256": DIGEST, "expires": MIDNIGHT}]}
        ),
    )

    assert stored_keys(as_document(keys), "the table") == keys
    assert keys[0].role is Role.VIEWER


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "must be a mapping with keys"),
        ({1: 2}, "must be a mapping with keys"),
        ({"kees": []}, "kees"),
        ({"keys": [{"name": "me", "secrets": [{"key": "made up"}]}]}, "holds digests"),
        ({"keys": [{"name": "me", "secrets": [{}]}]}, "must have a key or its sha256"),
    ],
)
def test_a_store_that_holds_something_else_is_refused_unquoted(document: Any, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as refused:
        stored_keys(document, "the table")

    assert "made up" not in str(refused.value)


def test_a_file_has_keys_and_a_missing_or_empty_one_none(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"

    assert keys_in(file) == ()
    file.write_text("")
    assert keys_in(file) == ()
    file.write_text(f"keys: [{{name: me, secrets: [{{sha256: {DIGEST}}}]}}]")
    assert [key.name for key in keys_in(file)] == ["me"]
