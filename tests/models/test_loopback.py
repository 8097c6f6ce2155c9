"""Ports of loopback are free when they are given, or it is said why not."""

import errno
import socket

import pytest

from models.errors import SettingsError
from models.loopback import free_port


@pytest.mark.parametrize("port", [-1, 65_536, 99_999, 2**64])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(SettingsError, match=f"^port {port} of HTTP: must be 0 to 65535$"):
        free_port(port, "HTTP")


def test_a_port_without_the_right_to_it_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:  # as Linux does it for users other than root
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(SettingsError, match=r"^port 22 of HTTP: .*choose one from 1024 on"):
        free_port(22, "HTTP")
