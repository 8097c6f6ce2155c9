"""TCP ports of this machine's loopback address, which no other machine reaches."""

import socket

from models.errors import SettingsError

LOOPBACK = "127.0.0.1"
HIGHEST_PORT = 65_535
"""Highest number of a TCP port."""


def free_port(port: int, owner: str) -> int:
    """Return a TCP port of loopback that can be opened: this one, or for 0 a free one.

    Another process may open it meanwhile. ``owner`` is named in the error.

    Raises:
        SettingsError: it is no port, is in use, or needs rights that this user has not.
    """
    if not 0 <= port <= HIGHEST_PORT:
        raise SettingsError(f"port {port} of {owner}: must be 0 to {HIGHEST_PORT}")
    with socket.socket() as probe:
        # As servers set it: else a port with connections in TIME_WAIT seems to be in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            raise SettingsError(
                f"port {port} of {owner}: this user may not open it; choose one from 1024 on,"
                " or 0 for a free one"
            ) from None
        except OSError as exc:
            raise SettingsError(
                f"port {port} of {owner}: {exc.strerror}; choose another, or 0 for a free one"
            ) from None
        return int(probe.getsockname()[1])
