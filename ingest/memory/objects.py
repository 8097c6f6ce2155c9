"""Objects in memory."""

from collections.abc import Sequence

from models.ports import Objects


class MemoryObjects(Objects):
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}

    async def put(self, uri: str, body: bytes, content_type: str) -> None:
        self.bodies[uri] = body
        self.content_types[uri] = content_type

    async def get(self, uri: str, limit: int | None = None) -> bytes | None:
        body = self.bodies.get(uri)
        if body is not None and limit is not None and len(body) > limit:
            raise ValueError(f"{uri} has {len(body)} bytes, more than {limit}")
        return body

    async def list(self, uri: str) -> Sequence[str]:
        return sorted(name for name in self.bodies if name.startswith(uri))

    async def delete(self, uri: str) -> None:
        self.bodies.pop(uri, None)
        self.content_types.pop(uri, None)

    async def link(self, uri: str, seconds: int) -> str:
        return f"{uri}?expires={seconds}"
