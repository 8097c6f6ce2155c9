"""Fault proxy before an emulator of AWS: HTTP on loopback, a port for each service.

`python -m bench.chaos.proxy PORT SEED` prints its ports as a line of JSON. Each line that it reads
sets the rules and which services are away, and is answered by how often each fault was met so far.
It ends with its input.
"""

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from yarl import URL

from bench.chaos.calls import SERVICES, AwsCall, aws_call
from bench.chaos.rules import ProxyFault, Rule, fault_of
from bench.chaos.throttling import throttling
from models.loopback import LOOPBACK

_LONGEST_BODY = 2**26
_ANSWER_SECONDS = 60  # above the longest poll of a queue
_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "transfer-encoding"}
)
"""Headers about one connection, which are not handed on."""


class FaultProxy:
    """Way to an emulator, on which calls meet faults by rules that may change at any time."""

    def __init__(self, upstream: str, session: ClientSession, random: Random) -> None:
        self.rules: Sequence[Rule] = ()
        self.met: Counter[str] = Counter()
        """Calls so far by service, operation and the fault that they met."""
        self._upstream = upstream
        self._session = session
        self._random = random

    async def handle(self, service: str, request: web.BaseRequest) -> web.StreamResponse:
        """Hand a request on, or let it meet the fault that is drawn for it."""
        body = await request.read()
        call = aws_call(service, request.method, request.raw_path, request.headers, body)
        rule = fault_of(call, self.rules, self._random)
        fault = rule.fault if rule else None
        self.met[f"{call.service} {call.operation} {fault or 'well'}"] += 1
        match fault:
            case ProxyFault.REQUEST_LOST:
                return _broken(request)
            case ProxyFault.THROTTLED:
                return _throttled(call)
            case ProxyFault.DELAYED if rule:
                await asyncio.sleep(self._random.uniform(0, rule.seconds))
        try:
            status, headers, answer = await self._answer(request, body)
        except (ClientError, TimeoutError):  # the emulator itself is away
            return _broken(request)
        match fault:
            case ProxyFault.ANSWER_LOST:
                return _broken(request)
            case ProxyFault.CUT if answer:
                return await _cut(request, status, headers, answer)
            case ProxyFault.GARBLED:
                answer = self._random.randbytes(len(answer))
        return web.Response(status=status, headers=headers, body=answer)

    async def _answer(
        self, request: web.BaseRequest, body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Ask the emulator; return status, headers and body of its answer.

        Raises:
            ClientError, TimeoutError: there is none.
        """
        url = URL(self._upstream + request.raw_path, encoded=True)
        async with self._session.request(
            request.method, url, headers=_handed_on(request.headers), data=body
        ) as answer:
            return answer.status, _handed_on(answer.headers), await answer.read()


class Listener:
    """Port of a service; while the service is away connections to it are refused."""

    def __init__(self, proxy: FaultProxy, service: str) -> None:
        # Bound and never listening: so the port stays ours while the service is away.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind((LOOPBACK, 0))
        self.port: int = self._held.getsockname()[1]
        self._server = web.Server(lambda request: proxy.handle(service, request))
        self._runner = web.ServerRunner(self._server)
        self._site: web.TCPSite | None = None

    async def open(self) -> None:
        if self._site is None:
            if self._runner.server is None:
                await self._runner.setup()
            self._site = web.TCPSite(self._runner, LOOPBACK, self.port, reuse_address=True)
            await self._site.start()

    async def close(self) -> None:
        """Refuse new connections, and break those that are open."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
            for connection in self._server.connections:
                if connection.transport is not None:
                    connection.transport.abort()


async def _cut(
    request: web.BaseRequest, status: int, headers: Mapping[str, str], answer: bytes
) -> web.StreamResponse:
    """Send half of the answer, whose head says that there is more, and break the connection."""
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(answer)
    await response.prepare(request)
    await response.write(answer[: len(answer) // 2])
    return _broken(request, response)


def _broken(
    request: web.BaseRequest, response: web.StreamResponse | None = None
) -> web.StreamResponse:
    """Break the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.close() if response else request.transport.abort()
    return response or web.Response()


def _throttled(call: AwsCall) -> web.Response:
    status, content_type, text = throttling(call)
    return web.Response(status=status, content_type=content_type, text=text)


def _handed_on(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


async def _follow(proxy: FaultProxy, listeners: Mapping[str, Listener]) -> None:
    """Obey the lines that are read until there are no more."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told: Mapping[str, Any] = json.loads(line)
        proxy.rules = [_rule(each) for each in told["rules"]]
        await _set_away(listeners, told["away"])
        print(json.dumps(proxy.met), flush=True)


def _rule(given: Mapping[str, Any]) -> Rule:
    return Rule(
        fault=ProxyFault(given["fault"]),
        rate=given["rate"],
        services=tuple(given["services"]),
        operations=tuple(given["operations"]),
        seconds=given["seconds"],
    )


async def _set_away(listeners: Mapping[str, Listener], away: Collection[str]) -> None:
    for service, listener in listeners.items():
        await (listener.close() if service in away else listener.open())


async def serve(port: int, seed: int) -> None:
    """Serve before the emulator at this port until the input ends."""
    session = ClientSession(
        auto_decompress=False,
        connector=TCPConnector(limit=0),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=_ANSWER_SECONDS),
        skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
    )
    async with session:
        proxy = FaultProxy(f"http://{LOOPBACK}:{port}", session, Random(seed))
        listeners = {service: Listener(proxy, service) for service in SERVICES}
        await _set_away(listeners, ())
        print(json.dumps({name: one.port for name, one in listeners.items()}), flush=True)
        await _follow(proxy, listeners)
        await _set_away(listeners, SERVICES)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
