"""What a process and all that it started hold, as the system tells."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil


def holds_more_than(limit: int, root: int) -> bool:
    """Whether they hold more bytes of memory."""
    tree = _tree(root)
    # Memory that they share counts once, but that is slow to ask: ask the simple way first.
    return _sum(tree, _resident) > limit and _sum(tree, _own) > limit


def addresses(root: int, port: int) -> set[str]:
    """Where they listen on this port."""
    found = set()
    for process in _tree(root):
        with suppress(psutil.Error):
            found |= {
                heard.laddr.ip
                for heard in process.net_connections("tcp")
                if heard.status == psutil.CONN_LISTEN and heard.laddr.port == port
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


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _own(process: psutil.Process) -> int:
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.uss))  # not every system knows the first
