"""Memory and listening sockets of a process and all that it started, as the system reports them."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil


def holds_more_than(limit: int, root: int) -> bool:
    """Tell whether the tree below a process, itself included, holds more bytes of memory."""
    tree = _tree(root)
    # Shared memory must count once (PSS), but reading that walks every mapping: try RSS first.
    resident = _sum(tree, lambda process: int(process.memory_info().rss))
    return resident > limit and _sum(tree, _proportional) > limit


def addresses(root: int, port: int) -> set[str]:
    """Return the addresses on which the tree below a process listens on a TCP port."""
    found = set()
    for process in _tree(root):
        with suppress(psutil.Error):  # ended meanwhile, or not ours to look into
            found |= {
                socket.laddr.ip
                for socket in process.net_connections("tcp")
                if socket.status == psutil.CONN_LISTEN and socket.laddr.port == port
            }
    return found


def _tree(root: int) -> list[psutil.Process]:
    try:
        top = psutil.Process(root)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _sum(tree: Iterable[psutil.Process], ask: Callable[[psutil.Process], int]) -> int:
    total = 0
    for process in tree:
        with suppress(psutil.Error):  # it has ended meanwhile
            total += ask(process)
    return total


def _proportional(process: psutil.Process) -> int:
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.uss))  # only Linux has PSS
