"""Client without an event loop.

Every method is the coroutine of `AsyncClient` of the same name and signature, over a channel whose
waits keep the thread waiting: it never suspends, so one step brings it to its end.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from atelier.channel import BlockingChannel
from atelier.client import LOCAL, AsyncClient

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]],
) -> "Callable[Concatenate[Client, P], T]":
    @wraps(method)
    def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return _now(method(self._client, *args, **kwargs))

    return call


def _iterating(
    method: Callable[Concatenate[AsyncClient, P], AsyncGenerator[T, None]],
) -> "Callable[Concatenate[Client, P], Generator[T, None, None]]":
    @wraps(method)
    def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        source = method(self._client, *args, **kwargs)
        try:
            while True:
                # `anext` is stepped like a coroutine: its StopIteration holds what was yielded.
                yield _now(anext(source))
        except StopAsyncIteration:
            return
        finally:
            # Without an event loop nothing else finalizes an async generator that is left early,
            # and its connection would stay taken.
            _now(source.aclose())

    return call


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends; return its result.

    Raises:
        RuntimeError: the coroutine waits for an event loop.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    # Something was awaited that a loop has to resume; the coroutine hangs where it is.
    raise RuntimeError("a blocking channel waits for an event loop")


class Client:
    """Client of one platform, which blocks the calling thread.

    ``timeout`` is how long one try waits for the next byte, ``patience`` how long all tries of one
    call may take; both in seconds. Errors are those of `atelier.errors`.
    """

    def __init__(
        self,
        url: str = LOCAL,
        api_key: str = "local",
        *,
        timeout: float = 30,
        patience: float = 60,
    ) -> None:
        self._client = AsyncClient(
            url, api_key, timeout=timeout, patience=patience, channel=BlockingChannel()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    submit = _blocking(AsyncClient.submit)
    send = _blocking(AsyncClient.send)
    text_to_image = _blocking(AsyncClient.text_to_image)
    image_to_image = _blocking(AsyncClient.image_to_image)
    upscale = _blocking(AsyncClient.upscale)
    get = _blocking(AsyncClient.get)
    list = _iterating(AsyncClient.list)
    cancel = _blocking(AsyncClient.cancel)
    events = _iterating(AsyncClient.events)
    wait = _blocking(AsyncClient.wait)
    download = _blocking(AsyncClient.download)
    save = _blocking(AsyncClient.save)
    runtimes = _blocking(AsyncClient.runtimes)
    checkpoints = _blocking(AsyncClient.checkpoints)
    dead_letters = _blocking(AsyncClient.dead_letters)
    dead_letter = _blocking(AsyncClient.dead_letter)
    redrive = _blocking(AsyncClient.redrive)
    purge = _blocking(AsyncClient.purge)
    close = _blocking(AsyncClient.close)
