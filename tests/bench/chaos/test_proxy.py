"""The fault proxy, as a process of its own before a server that answers all that it is asked."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest

from bench.chaos.calls import AwsCall, aws_call
from bench.chaos.proxy_process import ProxyProcess, fault_proxy
from bench.chaos.rules import ProxyFault, Rule, fault_of

ANSWER = b"<answer>well</answer>" * 50
PUT = {"x-amz-target": "DynamoDB_20120810.UpdateItem"}


class Aws(ThreadingHTTPServer):
    """Server that counts what reaches it."""

    reached = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Aws)
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.reached += 1
        self.send_response(200)
        self.send_header("content-length", str(len(ANSWER)))
        self.send_header("x-asked", self.path)
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with Aws(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def process(aws: Aws) -> Iterator[ProxyProcess]:
    with fault_proxy(aws.server_address[1], 1) as running:
        yield running


@pytest.fixture
def proxy(aws: Aws, process: ProxyProcess) -> ProxyProcess:
    process.set()
    aws.reached = 0
    return process


def ask(proxy: ProxyProcess, service: str = "dynamodb") -> tuple[int, bytes]:
    address = proxy.environment[f"AWS_ENDPOINT_URL_{service.upper()}"].removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("POST", "/a%2Fb?c=d", body=b"{}", headers=PUT)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_without_a_rule_requests_are_handed_on(aws: Aws, proxy: ProxyProcess) -> None:
    assert ask(proxy) == (200, ANSWER)
    assert aws.reached == 1
    assert proxy.set()["dynamodb UpdateItem well"] == 1


def test_a_lost_request_never_arrives(aws: Aws, proxy: ProxyProcess) -> None:
    proxy.set([Rule(fault=ProxyFault.REQUEST_LOST)])

    with pytest.raises(ConnectionError):
        ask(proxy)

    assert aws.reached == 0


def test_a_lost_answer_has_had_its_effect(aws: Aws, proxy: ProxyProcess) -> None:
    proxy.set([Rule(fault=ProxyFault.ANSWER_LOST)])

    with pytest.raises(ConnectionError):
        ask(proxy)

    assert aws.reached == 1


def test_an_answer_is_cut_in_its_middle(proxy: ProxyProcess) -> None:
    proxy.set([Rule(fault=ProxyFault.CUT)])

    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(proxy)

    assert ANSWER.startswith(cut.value.partial)


def test_a_garbled_answer_is_as_long_as_its_head_says(proxy: ProxyProcess) -> None:
    proxy.set([Rule(fault=ProxyFault.GARBLED)])

    status, body = ask(proxy)

    assert (status, len(body)) == (200, len(ANSWER))
    assert body != ANSWER


@pytest.mark.parametrize(
    ("service", "status", "code"),
    [
        ("s3", 503, b"SlowDown"),
        ("sns", 400, b"Throttling"),
        ("sqs", 400, b"RequestThrottled"),
        ("dynamodb", 400, b"ProvisionedThroughputExceededException"),
    ],
)
def test_a_service_throttles_in_its_own_words(
    proxy: ProxyProcess, service: str, status: int, code: bytes
) -> None:
    proxy.set([Rule(fault=ProxyFault.THROTTLED)])

    told, body = ask(proxy, service)

    assert told == status
    assert code in body


def test_one_service_is_away_and_comes_back_at_its_port(proxy: ProxyProcess) -> None:
    proxy.set(away=["dynamodb"])

    with pytest.raises(ConnectionRefusedError):
        ask(proxy)
    assert ask(proxy, "sqs")[0] == 200

    proxy.set()

    assert ask(proxy) == (200, ANSWER)


def test_a_rule_is_about_some_calls_and_a_share_of_them() -> None:
    rule = Rule(fault=ProxyFault.CUT, rate=0.5, services=("s3",), operations=("PutObject",))
    random = Random(1)
    put, get = AwsCall("s3", "PutObject"), AwsCall("s3", "GetObject")
    met = [fault_of(put, [rule], random) for _ in range(1_000)]

    assert 400 < sum(each is rule for each in met) < 600
    assert fault_of(get, [rule], random) is None
    assert fault_of(AwsCall("sns", "PutObject"), [rule], random) is None


def test_objects_are_not_garbled_since_nobody_could_tell() -> None:
    rule = Rule(fault=ProxyFault.GARBLED)

    assert fault_of(AwsCall("s3", "GetObject"), [rule], Random(1)) is None
    assert fault_of(AwsCall("s3", "PutObject"), [rule], Random(1)) is rule


def test_a_call_of_a_json_service_is_known_by_its_header() -> None:
    sqs = {"x-amz-target": "AmazonSQS.SendMessage"}

    assert aws_call("dynamodb", "POST", "/", PUT, b"{}") == AwsCall("dynamodb", "UpdateItem")
    assert aws_call("sqs", "POST", "/", sqs, b"{}") == AwsCall("sqs", "SendMessage")


def test_a_call_of_sns_is_known_by_its_form() -> None:
    form = b"Action=Publish&Version=1"

    assert aws_call("sns", "POST", "/", {}, form) == AwsCall("sns", "Publish")


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("PUT", "/outputs/a/b.png", "PutObject"),
        ("GET", "/outputs/a?x=/", "GetObject"),
        ("GET", "/outputs?list-type=2&prefix=a/", "ListObjectsV2"),
    ],
)
def test_a_call_of_s3_is_known_by_its_method_and_path(
    method: str, target: str, operation: str
) -> None:
    assert aws_call("s3", method, target, {}, b"") == AwsCall("s3", operation)
