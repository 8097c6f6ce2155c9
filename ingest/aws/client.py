"""Clients of AWS's services, and what their errors mean to the platform.

Retries and timeouts of calls to AWS are set here and nowhere else. An endpoint other than AWS's
comes from ``AWS_ENDPOINT_URL``, which botocore reads by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    ResponseStreamingError,
)
from botocore.handlers import add_expect_header
from botocore.parsers import ResponseParserError

from ingest.aws.direct import DirectClient, json_object
from models.errors import PublicationRefused, Unavailable

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient

_Client = TypeVar("_Client")
_Answer = TypeVar("_Answer")
_FOR_GOOD = frozenset(
    {
        # The message: too long, or with characters or attributes that AWS does not take.
        "InvalidParameter",
        "InvalidParameterValue",
        "ParameterValueInvalid",
        "InvalidMessageContents",
        # Its destination: gone, or not to be written to.
        "NotFound",
        "NonExistentQueue",
        "QueueDoesNotExist",
        "AuthorizationError",
        "AccessDenied",
        "AccessDeniedException",
        "KMSAccessDenied",
        "KMSDisabled",
        "KMSNotFound",
    }
)
"""Codes for messages that AWS would refuse again, until somebody changes its configuration."""
_UNREADABLE = (ResponseParserError, ValueError, LookupError, TypeError, AttributeError)
"""Errors of who reads an answer that was cut or garbled on its way, ours and botocore's."""
_BROKEN_OFF = (aiohttp.ClientError, TimeoutError, IncompleteReadError, ResponseStreamingError)
"""Errors of a body that ended before its end, or did not come on."""
_READS = 3
_CONFIG = AioConfig(
    connect_timeout=5,
    read_timeout=30,  # above the longest poll of a queue, 20 s
    max_pool_connections=50,  # botocore's 10 would have deliveries wait for each other
    # The first attempt is one of the three; a call that hangs fails after some two minutes. Before
    # them stands the one of a `DirectClient`, whose calls take half a minute more.
    retries={"mode": "standard", "total_max_attempts": 3},
    # Else botocore sends a checksum with each upload, in a trailer after its body.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    # AWS judges parameters, too; to do so here takes a tenth of a call's CPU time.
    parameter_validation=False,
)
_S3_CONFIG = AioConfig(
    # By default botocore presigns links by the older version 2, which newer regions refuse.
    signature_version="s3v4",
    # An object without a key would be its bucket.
    parameter_validation=True,
)


class Clients:
    """Clients of one region, made when first used, and open until `aclose`; for one event loop."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._session = get_session()
        # Else botocore puts this header together twice for each call, a tenth of its CPU time.
        self._config = _CONFIG.merge(AioConfig(user_agent=self._session.user_agent()))
        self._made: dict[str, Any] = {}
        self._direct: dict[str, DirectClient] = {}
        self._making = asyncio.Lock()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; clients that are used later are made anew."""
        # First, as closing awaits: nobody may be handed a client that is being closed.
        self._made.clear()
        self._direct.clear()
        await self._open.aclose()

    async def s3(self) -> "S3Client":
        client: S3Client = await self._client("s3")
        return client

    async def sqs(self) -> "SQSClient":
        client: SQSClient = await self._client("sqs")
        return client

    async def sns(self) -> "SNSClient":
        client: SNSClient = await self._client("sns")
        return client

    async def dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = await self._client("dynamodb")
        return client

    async def direct(self, service: str) -> DirectClient:
        """Return the client of a service for calls that are made often."""
        client = await self._client(service)
        if service not in self._direct:
            self._direct[service] = DirectClient(client, self._session)
        return self._direct[service]

    async def _client(self, service: str) -> Any:
        # Making one awaits, so that two first users would else make two.
        async with self._making:
            if service not in self._made:
                self._made[service] = await self._make(service)
            return self._made[service]

    async def _make(self, service: str) -> Any:
        config = self._config.merge(_S3_CONFIG) if service == "s3" else self._config
        making = self._session.create_client(service, region_name=self.region, config=config)
        client = await self._open.enter_async_context(making)
        # Waiting for "100 Continue" before a body is sent costs a round trip for each object.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        client.meta.events.register_first("before-endpoint-resolution.s3", _in_its_region)
        if client.meta.service_model.metadata["protocol"] == "json":
            client.meta.events.register("after-call", _check_answer)
        return client


def _in_its_region(context: dict[str, Any], **_: Any) -> None:
    """Let links lead to the region's own endpoint; botocore presigns for that of us-east-1."""
    context["use_global_endpoint"] = False


async def _check_answer(http_response: Any, model: Any, **_: Any) -> None:
    """Refuse what is no JSON: botocore takes it for an answer without any fields.

    A row that could not be read would else be a row that is not there.
    """
    if http_response.status_code >= HTTPStatus.MULTIPLE_CHOICES or model.output_shape is None:
        return
    if json_object(await http_response.content) is None:
        raise ResponseParserError


@contextmanager
def translated(operation: str, *missing: str) -> Iterator[None]:
    """Translate errors of an AWS call; codes that mean "missing" end the block without an error.

    The block is to read the answer, too: what cannot be read in it is as good as no answer.

    Raises:
        Unavailable: with the operation's name and AWS's code; AWS's texts may hold names and keys.
    """
    try:
        yield
    except ClientError as exc:
        code = error_code(exc)
        if code not in missing:
            raise Unavailable(f"{operation}: {code}") from exc
    except (BotoCoreError, aiohttp.ClientError, TimeoutError) as exc:
        # A body is read after botocore's part is done, so some of aiohttp's errors come as they
        # are, such as that of an answer which was cut off.
        raise Unavailable(f"{operation}: {type(exc).__name__}") from exc
    except _UNREADABLE as exc:
        raise Unavailable(f"{operation}: unreadable answer ({type(exc).__name__})") from exc


@asynccontextmanager
async def calling(
    client: Awaitable[_Client], operation: str, *missing: str
) -> AsyncIterator[_Client]:
    """Take a client for an AWS call, whose errors are `translated`."""
    with translated(operation, *missing):
        yield await client


@asynccontextmanager
async def publishing(client: Awaitable[_Client], operation: str) -> AsyncIterator[_Client]:
    """Take a client that publishes a message; its errors are `translated`.

    Raises:
        PublicationRefused: AWS's code says that another try would be refused, too.
    """
    try:
        async with calling(client, operation) as made:
            yield made
    except Unavailable as exc:
        cause = exc.__cause__
        # Some codes have a namespace before a dot.
        if isinstance(cause, ClientError) and error_code(cause).rpartition(".")[2] in _FOR_GOOD:
            raise PublicationRefused(str(exc)) from cause
        raise


async def read_again(read: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Read an answer with a long body; one that breaks off is asked for again, twice at most.

    The SDK's own retries end where a body begins.
    """
    for _ in range(_READS - 1):
        try:
            return await read()
        except Unavailable as exc:
            if not isinstance(exc.__cause__, _BROKEN_OFF):
                raise
    return await read()


def error_code(error: ClientError) -> str:
    """Return AWS's code of an error, such as ``NoSuchKey``."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))
