"""API keys and the secret that signs callbacks: each process has those of where it runs.

Settings have three states, each with a type, so that a type checker refuses the wrong one:
`KeylessSettings` are for runtimes' replicas, `BoundSettings` are kept by Serve, and `Settings` are
complete.
"""

from typing import NewType

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from models.settings.api_keys import ApiKey
from models.settings.settings import Settings

KeylessSettings = NewType("KeylessSettings", Settings)
"""Settings without API keys and without secrets that sign callbacks."""
BoundSettings = NewType("BoundSettings", BaseSettings)
"""Settings as Serve keeps them, of which a process makes `Settings` by `completed`; no `Settings`
to a type checker, for keys may be missing."""


def keyless(settings: Settings) -> KeylessSettings:
    """Take API keys and callback secrets out, for replicas, which need none."""
    return KeylessSettings(_with(settings, (), None))


def bound(settings: Settings) -> BoundSettings:
    """Take the secrets out that this environment has, too; leave them all in if it has others.

    Serve keeps what is bound, and binds anew only when its config changes: a key in there would be
    valid long after it was taken back. Those of a file go along, as the file may not be there; and
    with them what the environment signs callbacks with, which then stays as it was.
    """
    left = keyless(settings)
    here = _completed(left)
    same = (here.api_keys, here.callbacks) == (settings.api_keys, settings.callbacks)
    return BoundSettings(left if same else settings)


def completed(given: BoundSettings) -> Settings:
    """Fill secrets that are missing from this process's environment.

    No keys by intent, as ``apiKeys: []`` in Serve's ``args``, count as missing: the environment's
    win.

    Raises:
        SettingsError: a secret in the environment is wrong.
    """
    if not isinstance(given, Settings):
        raise TypeError("only settings can be completed")
    return _completed(given)


def _completed(settings: Settings) -> Settings:
    here = Settings.read(args=settings.without_secrets())
    secret = settings.callbacks.secret or here.callbacks.secret
    return _with(settings, settings.api_keys or here.api_keys, secret)


def _with(settings: Settings, keys: tuple[ApiKey, ...], secret: SecretStr | None) -> Settings:
    callbacks = settings.callbacks.model_copy(update={"secret": secret})
    return settings.model_copy(update={"api_keys": keys, "callbacks": callbacks})
