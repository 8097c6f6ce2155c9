"""Monthly usage of this platform, for one runtime's load and an installation's settings.

Counts of requests are those of the code: `docs/performance.md` has them measured.
"""

import math
from decimal import Decimal

from cli.cost import gpu_hours
from cli.cost.load import Load
from cli.cost.usage_lines import GIB, HOURS, MILLION, SECONDS, Part, UsageLine
from models.capacity import cores_for_ingest, pods_of_ingest
from models.names.queues import queues
from models.settings import Runtime, Settings

_KIB = Decimal(1024)
_DAYS = HOURS / 24
_DISK_GIB = 50  # a system node's volume
_INGEST_NODE, _CORES_OF_INGEST_NODE = "m7g.large", 2  # larger ones cost as much for each core
_INGEST_DISK_GIB = 10 + 50  # both volumes of a node that Karpenter adds
_RECEIVES_AND_DELETES = 3  # a send by SNS, a receive and a delete, none of them batched
_TABLE_WRITES = 1 + 1 + 1 + 1  # queue, start, finish, tell
_INDEX_WRITES = 1 + 2 + 2 + 1  # a changed status is a delete and a put there
_BY_HTTP = 1 + 1 + 1 + 1 + 1  # noted before it is published; and the index of keys, as the others
_OBJECTS = 2  # a picture and its .out
_ANSWER_KIB = 1
_LOOKS = 10  # requests of a browser for a picture
_WAF_RULES = 3
_ALARMED_OF_RUNTIME = 1 + 2 + 3 + 1  # oldest, failed, starved, dead letters: metrics of each alarm
_ALARMED = 4  # unrouted, undelivered, dead calls, interruptions
_METRICS_OF_RUNTIME = 2  # ended, failed: counted from the log
_METRICS_OF_API = 3 * 5  # calls, both kinds of errors, both latencies: of each method
_TRACED = Decimal("0.05")  # share of the calls after the first in a second: X-Ray's default rule


def usage(
    load: Load, taken: gpu_hours.Hours, settings: Settings, runtime: Runtime, kind: str
) -> list[UsageLine]:
    """Return every usage line that has a price.

    ``taken``: hours of the GPU nodes that do the load; ``kind``: their instance type.
    """
    return [
        *gpu_hours.lines(taken, runtime, kind),
        *_cluster(load, settings),
        *_network(load, settings, starts=taken.starts),
        *(_api(load, settings) if settings.edge.enabled else ()),
        *_messages(load, settings),
        *_ledger(load, settings),
        *_storage(load, settings),
        *_out(load),
        *(_front(load, settings) if settings.front.enabled else ()),
        *_watching(load, settings),
    ]


def _line(
    part: Part, service: str, dimension: str, quantity: Decimal | int, why: str = ""
) -> UsageLine:
    return UsageLine(
        part=part, service=service, dimension=dimension, quantity=Decimal(quantity), why=why
    )


def _gib(load: Load, kib: float) -> Decimal:
    """Return the month's GiB if each picture takes so many KiB."""
    return load.images * Decimal(str(kib)) * _KIB / GIB


def _cluster(load: Load, settings: Settings) -> list[UsageLine]:
    tier = " in extended support" if load.extended_support else ""
    system = settings.cluster_components
    count, kind = system.desired_count, f"{system.instance_type} on demand"
    return [
        _line(Part.CLUSTER, "eks", f"cluster{tier}", HOURS),
        _line(Part.NODES, "ec2", kind, count * HOURS, f"{count} nodes"),
        _line(Part.NODES, "ebs", "gp3", count * _DISK_GIB, f"{_DISK_GIB} GiB each"),
        *_ingest(settings),
    ]


def _ingest(settings: Settings) -> list[UsageLine]:
    """Return the nodes of ingest's pods that are always there; the first is with the system's."""
    least, _ = pods_of_ingest(settings.ingest, settings.ray_cluster)
    cores = cores_for_ingest(least - 1, settings.ray_cluster, gib_a_core=4)
    count = math.ceil(cores / _CORES_OF_INGEST_NODE)
    why = f"{count} nodes for {least - 1} pods of ingest beyond the first"
    return [
        _line(Part.NODES, "ec2", f"{_INGEST_NODE} on demand", count * HOURS, why),
        _line(Part.NODES, "ebs", "gp3", count * _INGEST_DISK_GIB, f"{_INGEST_DISK_GIB} GiB each"),
    ]


def _network(load: Load, settings: Settings, *, starts: int) -> list[UsageLine]:
    """Return NAT gateways and their data; S3, DynamoDB and ECR are reached by free endpoints."""
    data = _gib(load, load.nat_kib)
    if settings.images.repository:  # images of another registry come through NAT
        data += starts * Decimal(str(load.image_gib))
    count = settings.vpc.nat_gateways if settings.vpc.id is None else 0
    return [
        _line(Part.NETWORK, "vpc", "nat gateway data", data),
        _line(Part.NETWORK, "vpc", "nat gateway", count * HOURS, f"{count} of them"),
        _line(Part.NETWORK, "vpc", "public address", count * HOURS),
    ]


def _api(load: Load, settings: Settings) -> list[UsageLine]:
    edge = settings.edge
    requests = load.images / MILLION
    gb_seconds = load.images * Decimal(edge.memory) / 1024 * Decimal(str(load.edge_ms)) / 1000
    why = f"{load.edge_ms:g} ms of {edge.memory} MiB each"
    return [
        _line(Part.API, "apigateway", "requests", requests),
        _line(Part.API, "lambda", "requests", requests),
        _line(Part.API, "lambda", f"duration {edge.architecture}", gb_seconds, why),
        _line(Part.API, "vpc", "data out", _gib(load, _ANSWER_KIB), f"{_ANSWER_KIB} KiB each"),
    ]


def _messages(load: Load, settings: Settings) -> list[UsageLine]:
    published = 3 if settings.tasks.notify_running else 2
    why = "the task, its result" + (" and its start" if settings.tasks.notify_running else "")
    # A lease is renewed at each third of it.
    renewals = int(load.seconds // (settings.tasks.lease_seconds / 3))
    a_task = _RECEIVES_AND_DELETES + renewals
    polls = _polled(settings) * HOURS * SECONDS / max(settings.tasks.poll_seconds, 1)
    requests = (a_task * load.images + polls) / MILLION
    taken = f"at most {a_task} a task, and {polls / 1000:.0f} thousand empty receives"
    return [
        _line(Part.MESSAGES, "sns", "publishes", published * load.images / MILLION, why),
        _line(Part.MESSAGES, "sqs", "requests", requests, taken),
    ]


def _polled(settings: Settings) -> int:
    """Count the queues that are polled: those with dead letters."""
    return sum(
        1
        for queue in queues(settings.names, settings.models_runtime, settings.tasks)
        if queue.dead_letters
    )


def _ledger(load: Load, settings: Settings) -> list[UsageLine]:
    by_http = settings.edge.enabled or settings.front.enabled
    of_http = _BY_HTTP if by_http else 0
    writes = (_TABLE_WRITES + _INDEX_WRITES + of_http) * load.row_kib
    why = f"{writes} units a task, its indexes included"
    rows = _gib(load, load.row_kib) * settings.tasks.ledger_days / _DAYS
    copies = 3 if by_http else 2
    return [
        _line(Part.LEDGER, "dynamodb", "writes", writes * load.images / MILLION, why),
        _line(Part.LEDGER, "dynamodb", "storage", copies * rows, "rows, and again in each index"),
        _line(Part.LEDGER, "dynamodb", "recovery", rows, "point-in-time recovery"),
    ]


def _storage(load: Load, settings: Settings) -> list[UsageLine]:
    storage = settings.storage
    output_gib = _gib(load, load.picture_kib)
    days = Decimal(storage.output_days) if storage.output_days else _DAYS
    standard = min(days, Decimal(storage.infrequent_days or days))
    # S3 counts the days before an object moves at the higher price, and each move by itself.
    moved = load.images / Decimal(1000) if days > standard else 0
    kept = f"kept {storage.output_days} days" if storage.output_days else "those of one month"
    types = len({runtime.type for runtime in settings.models_runtime})
    images = 0 if settings.images.repository else types * Decimal(str(load.image_gib))
    return [
        _line(Part.STORAGE, "s3", "puts", _OBJECTS * load.images / Decimal(1000)),
        _line(Part.STORAGE, "s3", "standard", output_gib * standard / _DAYS, kept),
        _line(Part.STORAGE, "s3", "infrequent access", output_gib * (days - standard) / _DAYS),
        _line(Part.STORAGE, "s3", "transitions", moved),
        _line(Part.STORAGE, "s3", "standard", Decimal(str(load.models_gib)), "weights"),
        _line(Part.STORAGE, "ecr", "storage", images, f"of {types} runtime types"),
    ]


def _out(load: Load) -> list[UsageLine]:
    """Return data out: pictures are fetched by presigned links of S3, past any browser entry."""
    times = Decimal(str(load.downloads))
    out = _gib(load, load.picture_kib) * times
    return [
        _line(Part.TRANSFER, "s3", "gets", load.images * times / Decimal(1000)),
        _line(Part.TRANSFER, "vpc", "data out", out, f"{load.downloads:g} times each picture"),
    ]


def _front(load: Load, settings: Settings) -> list[UsageLine]:
    requests = Decimal(load.images * _LOOKS)
    each = f"{_LOOKS} for each picture"
    firewall = [
        _line(Part.FRONT, "waf", "web acl", 1),
        _line(Part.FRONT, "waf", "rule", _WAF_RULES),
        _line(Part.FRONT, "waf", "requests", requests / MILLION),
    ]
    return [
        _line(Part.FRONT, "elb", "load balancer", HOURS),
        _line(Part.FRONT, "elb", "capacity unit", HOURS, "one"),
        _line(Part.FRONT, "cloudfront", "requests", requests / 10_000, each),
        _line(Part.FRONT, "cloudfront", "data out", _gib(load, _LOOKS * _ANSWER_KIB)),
        *(firewall if settings.front.waf else ()),
    ]


def _watching(load: Load, settings: Settings) -> list[UsageLine]:
    logs = _gib(load, load.log_kib) + Decimal(str(load.cluster_log_gib))
    kept = logs * settings.edge.log_days / _DAYS
    why = f"{load.log_kib:g} KiB a task, and the control plane's"
    runtimes = len(settings.models_runtime)
    alarmed = _ALARMED_OF_RUNTIME * runtimes + _ALARMED
    return [
        _line(Part.WATCHING, "cloudwatch", "logs taken in", logs, why),
        _line(Part.WATCHING, "cloudwatch", "logs kept", kept, f"{settings.edge.log_days} days"),
        _line(Part.WATCHING, "cloudwatch", "metric of an alarm", alarmed),
        _line(Part.WATCHING, "cloudwatch", "metric", _METRICS_OF_RUNTIME * runtimes),
        *(_watching_api(load) if settings.edge.enabled else ()),
        _line(Part.WATCHING, "cloudwatch", "dashboard", 1),
        _line(Part.WATCHING, "kms", "key", 1, "of the alarms' topic"),
    ]


def _watching_api(load: Load) -> list[UsageLine]:
    each = "calls, errors and latencies of API Gateway's methods"
    first = min(Decimal(load.images), Decimal(str(load.hours)) * SECONDS)
    traced = (first + _TRACED * (load.images - first)) / MILLION
    why = f"at most: the first of each second, and {_TRACED:.0%} of the rest"
    return [
        _line(Part.WATCHING, "cloudwatch", "metric", _METRICS_OF_API, each),
        _line(Part.WATCHING, "xray", "traces", traced, why),
    ]
