"""A request's body: no more of it is read than is allowed."""

from starlette.requests import Request

LARGEST_BODY = 10 * 2**20
"""Bytes, as at API Gateway."""


class TooLarge(Exception):
    """The body is larger than that."""


async def whole_body(request: Request) -> bytes:
    """All of it, whatever was announced.

    Raises:
        TooLarge: it is not read to its end.
        ClientDisconnect: the client left.
    """
    announced = request.headers.get("content-length", "")
    _limit(int(announced[:16]) if announced.isdecimal() else 0)
    body = bytearray()
    async for part in request.stream():
        body += part
        _limit(len(body))
    return bytes(body)


def _limit(size: int) -> None:
    if size > LARGEST_BODY:
        raise TooLarge
