"""API keys and what signs callbacks: each process has those of where it runs."""

from pydantic import SecretStr

from models.settings import Settings
from models.settings.api_keys import ApiKey


def bare(settings: Settings) -> Settings:
    """Without any."""
    return _with(settings, (), None)


def bound(settings: Settings) -> Settings:
    """For others to complete: without any, if the environment here has the same; else as it is.

    Serve keeps what is bound, and binds anew only when its config changes: a key in there would be
    valid long after it was taken back. Those of a file go along, as the file may not be there; and
    with them what the environment signs callbacks with, which then stays as it was.
    """
    left = bare(settings)
    here = completed(left)
    same = (here.api_keys, here.callbacks) == (settings.api_keys, settings.callbacks)
    return left if same else settings


def completed(settings: Settings) -> Settings:
    """With those of this process's environment, where it has none of its own.

    None by intent, as ``apiKeys: []`` in Serve's ``args``, counts as none: the environment's win.

    Raises:
        SettingsError: a secret in the environment is wrong.
    """
    here = Settings.read(args=settings.without_secrets())
    secret = settings.callbacks.secret or here.callbacks.secret
    return _with(settings, settings.api_keys or here.api_keys, secret)


def _with(settings: Settings, keys: tuple[ApiKey, ...], secret: SecretStr | None) -> Settings:
    callbacks = settings.callbacks.model_copy(update={"secret": secret})
    return settings.model_copy(update={"api_keys": keys, "callbacks": callbacks})
