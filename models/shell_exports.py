"""Environment variables as lines for a shell, each group with a word on where it comes from."""

import shlex
from collections.abc import Iterator, Mapping

_KEYS = "ATELIER_APIKEYS"
_NO_KEYS = f"# API keys: your own, from apiKeys or {_KEYS}, which that shell needs, too."
_NOTES: Mapping[str, str] = {
    "AWS_ENDPOINT_URL": "The embedded AWS; it ends with the command that printed this.",
    _KEYS: f"A key for this machine only, since neither apiKeys nor {_KEYS} named one.",
    "ATELIER_CALLBACKS__SECRET": "Signs callbacks; made up, since callbacks.secret is not set.",
    "ATELIER_TASKS__DRAINSECONDS": "So that Ctrl-C takes seconds.",
    "RAY_AUTH_MODE": "Ray's own token, for its processes, `serve deploy`, `serve status` and the"
    " dashboard; by HTTP: Authorization: Bearer TOKEN.",
    "RAY_SERVE_STOP_FAILED_ROLLING_UPDATES": "An update that fails is tried again.",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "HTTP is back soon after Serve's proxy died.",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "Serve's proxy may start slowly.",
    "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "A replica that stands still is ended.",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "Ray stays on this machine's loopback.",
}
"""Comments, each by the first variable of the group that it stands above."""


def exports(environment: Mapping[str, str]) -> str:
    """Write ``export NAME=VALUE`` for each variable, quoted for ``sh``, between comments."""
    return "".join(f"{line}\n" for line in _lines(environment))


def _lines(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if note := _NOTES.get(name):
            yield f"# {note}"
        yield f"export {name}={shlex.quote(value)}"
    if _KEYS not in environment:
        yield _NO_KEYS
