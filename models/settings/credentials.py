"""Names of values that are credentials, wherever free-form settings hold them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# The last word decides: HF_TOKEN and hfToken are credentials, TOKEN_LIMIT and tokenizer are none.
_WORD = re.compile(r"[_-]|(?<=[a-z0-9])(?=[A-Z])")
_CREDENTIAL = ("auth", "credential", "key", "password", "secret", "token")


def credential_paths(given: Any, path: str = "") -> Iterator[str]:
    """Find the paths of values that are named like a credential: ``HF_TOKEN``, ``password``."""
    match given:
        case Mapping():
            for key, value in given.items():
                if isinstance(value, str) and is_credential(str(key)):
                    yield f"{path}.{key}".lstrip(".")
                yield from credential_paths(value, f"{path}.{key}")
        case list() | tuple():
            for number, value in enumerate(given):
                yield from credential_paths(value, f"{path}[{number}]")


def without_credentials(given: Any) -> Any:
    """Copy a JSON value without what is named like a credential."""
    match given:
        case Mapping():
            kept = {key: value for key, value in given.items() if not is_credential(str(key))}
            return {key: without_credentials(value) for key, value in kept.items()}
        case list() | tuple():
            return [without_credentials(value) for value in given]
        case _:
            return given


def is_credential(name: str) -> bool:
    """Tell whether a setting or a variable of this name holds a credential."""
    return _WORD.split(name)[-1].lower() in _CREDENTIAL
