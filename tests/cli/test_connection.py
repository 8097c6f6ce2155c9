"""Connection: where the platform is, and which key it is asked with."""

from pathlib import Path

import pytest

from tests.atelier.served_platform import KEY, Platform
from tests.cli.conftest import Atelier

SECRET = "a very secret key"


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "atelier" / "profiles.toml"
    path.parent.mkdir(parents=True)
    return path


def test_options_say_where(bare: Atelier, platform: Platform) -> None:
    result = bare("checkpoints", "--url", platform.url, "--api-key", KEY)

    assert (result.exit_code, "shapes" in result.stdout) == (0, True)


def test_the_environment_says_where(atelier: Atelier) -> None:
    assert atelier("checkpoints").exit_code == 0


def test_a_profile_says_where(bare: Atelier, platform: Platform, profiles: Path) -> None:
    profiles.write_text(
        '[default]\nurl = "http://127.0.0.1:1"\n'
        f'[mine]\nurl = "{platform.url}"\napi_key = "{KEY}"\n'
    )

    assert bare("checkpoints").exit_code == 5
    assert bare("checkpoints", "--profile", "mine").exit_code == 0


def test_the_environment_names_a_profile(
    bare: Atelier, platform: Platform, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles.write_text(f'[mine]\nurl = "{platform.url}"\napi_key = "{KEY}"\n')
    monkeypatch.setenv("ATELIER_PROFILE", "mine")

    assert bare("checkpoints").exit_code == 0


def test_an_option_wins_over_the_environment_and_that_over_a_profile(
    atelier: Atelier, platform: Platform, profiles: Path
) -> None:
    profiles.write_text('[default]\nurl = "http://127.0.0.1:1"\napi_key = "none"\n')

    assert atelier("checkpoints").exit_code == 0
    assert atelier("checkpoints", "--url", "http://127.0.0.1:1").exit_code == 5
    assert atelier("checkpoints", "--api-key", "none").exit_code == 3


def test_a_profiles_key_is_shown_to_its_own_url_only(
    bare: Atelier, platform: Platform, profiles: Path
) -> None:
    profiles.write_text(f'[default]\nurl = "https://example.org"\napi_key = "{SECRET}"\n')
    result = bare("checkpoints", "--url", platform.url)

    assert result.exit_code == 3
    assert [request.headers["x-api-key"] for request in platform.proxy.requests] == ["local"]


def test_who_has_no_key_is_told_where_it_is_from(bare: Atelier, platform: Platform) -> None:
    result = bare("checkpoints", "--url", platform.url, "--api-key", SECRET)

    assert result.exit_code == 3
    assert "the API key is not known at" in result.stderr
    assert "the key is from --api-key or ATELIER_API_KEY" in result.stderr
    assert SECRET not in result.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'[mine]\nurl = "u"\napi_keys = "{SECRET}"\n', "mine.api_keys: Extra inputs"),
        (f'[mine]\napi_key = ["{SECRET}"]\n', "mine.api_key: Input should be a valid string"),
        ("[mine\n", "profiles.toml: "),
    ],
)
def test_a_wrong_profile_is_named_without_the_key(
    bare: Atelier, profiles: Path, text: str, told: str
) -> None:
    profiles.write_text(text)
    result = bare("checkpoints")

    assert result.exit_code == 2
    assert told in result.stderr
    assert SECRET not in result.output


def test_a_profile_that_is_not_there_is_told_with_those_that_are(
    bare: Atelier, profiles: Path
) -> None:
    profiles.write_text("[mine]\n[work]\n")
    result = bare("checkpoints", "--profile", "nine")

    assert (result.exit_code, "no profile 'nine'" in result.stderr) == (2, True)
    assert "there is: mine, work" in result.stderr


def test_where_nothing_listens_it_says_what_to_do(bare: Atelier) -> None:
    result = bare("checkpoints", "--url", "http://127.0.0.1:1")

    assert (result.exit_code, result.stdout) == (5, "")
    assert "atelier up" in result.stderr


def test_the_options_of_the_client_do_not_disturb_the_platforms_own(
    atelier: Atelier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client and the platform both read the environment's ``ATELIER_…``."""
    monkeypatch.setenv("ATELIER_PROFILE", "mine")
    config = Path(__file__).resolve().parents[2] / "config.yaml"

    assert atelier("config", "check", config).exit_code == 0
