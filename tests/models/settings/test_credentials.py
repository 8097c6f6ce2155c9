from typing import Any

from models.settings.credentials import credential_paths, without_credentials

GIVEN: dict[str, Any] = {
    "env": {"HF_TOKEN": "hf_made_up", "THREADS": "4"},
    "servers": [{"url": "http://a.test", "api-key": "made up"}],
    "password": "made up",
    "apiKey": "made up",
    "keys": 3,
}


def test_values_that_are_named_like_a_credential_are_found_by_their_paths() -> None:
    assert list(credential_paths(GIVEN)) == [
        "env.HF_TOKEN",
        "servers[0].api-key",
        "password",
        "apiKey",
    ]


def test_a_copy_is_without_them() -> None:
    assert without_credentials(GIVEN) == {
        "env": {"THREADS": "4"},
        "servers": [{"url": "http://a.test"}],
        "keys": 3,
    }
    assert "password" in GIVEN
