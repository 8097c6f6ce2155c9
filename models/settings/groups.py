"""Groups of settings that the platform needs on a laptop as on AWS."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from models.capacity import scaling_here
from models.settings.base import Group
from models.settings.nodes import Nodes, Pod
from models.settings.reference_values import translated
from models.settings.scaling import Scaling
from models.settings.values import (
    Amount,
    CallbackSecret,
    Host,
    IngestReplicas,
    Network,
    Positive,
    RetrySeconds,
    RuntimeName,
)


class Throttle(Group):
    """Token bucket of each API key."""

    rate_limit: Annotated[float, Field(gt=0)] = 30
    """Requests a second that fill the bucket."""
    burst_limit: Positive = 50
    """Requests that the bucket holds."""


class Gateway(Group):
    stage_name: str = "dev"
    throttle: Throttle = Throttle()


class Ingress(Group):
    """Ingress: the Serve deployment of the HTTP API."""

    resources: Mapping[str, Amount] = Field(default_factory=dict)
    """Ray's own resources that the HTTP API and ingest ask for: so that no GPU is kept up by
    them."""
    replicas: Positive = 1
    """Replicas of the HTTP API. Each counts its own requests: a key has the throttle in each of
    them."""
    trusted_proxies: tuple[Network, ...] | None = None
    """Networks of the proxies before the HTTP API whose ``X-Forwarded-For`` and
    ``X-Forwarded-Proto`` are believed. None: in a cluster those of ``vpc``, where the load balancer
    is; elsewhere none."""


class Ingest(Group):
    """Ingest: the Serve deployment that leases tasks from the queues and brings them to their ends.

    Of several replicas each has its share of the tasks, and one that dies loses only its own
    leases.
    """

    replicas: IngestReplicas | None = None
    """Replicas of ingest, exactly so many; one is enough for about 25 to 40 tasks a second. None:
    one, or as many as ``minReplicas`` and ``maxReplicas`` allow."""
    min_replicas: IngestReplicas | None = None
    """Fewest replicas of ingest. None: 1."""
    max_replicas: IngestReplicas | None = None
    """Most replicas of ingest: there is one for each 25 tasks a second, about, that the runtimes'
    running replicas can end. None: ``minReplicas``."""
    resources: Mapping[str, Amount] = Field(default_factory=dict)
    """Ray's own resources that a replica of ingest asks for, besides those of ``ingress``: so that
    each has a core to itself."""

    @field_validator("replicas", mode="before")
    @classmethod
    def _one_number(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            raise ValueError(  # noqa: TRY004 - pydantic takes no other for a fault of what is given
                "must be a whole number; a range is minReplicas and maxReplicas"
            )
        return given

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        bounds = {"minReplicas": self.min_replicas, "maxReplicas": self.max_replicas}
        given = " and ".join(name for name, bound in bounds.items() if bound is not None)
        if self.replicas is not None and given:
            raise ValueError(f"replicas is exactly how many there are: remove it, or {given}")
        if self.least > self.most:
            raise ValueError("minReplicas must not be more than maxReplicas")
        return self

    @property
    def least(self) -> int:
        """Fewest replicas."""
        return self.replicas or self.min_replicas or 1

    @property
    def most(self) -> int:
        """Most replicas."""
        return self.replicas or self.max_replicas or self.least

    @property
    def bound(self) -> str:
        """Name of the setting that says how many replicas there are at most."""
        if self.max_replicas:
            return "maxReplicas"
        return "replicas" if self.replicas else "minReplicas"


class ClusterComponents(Group):
    instance_type: str = "m7g.large"
    desired_count: Positive = 2


class Callbacks(Group):
    """Calls of the URLs that tasks name (https://www.standardwebhooks.com)."""

    secret: CallbackSecret | None = None
    """Secret that signs the calls; without one a task with a callback is refused."""
    timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 15
    retry_seconds: Annotated[tuple[RetrySeconds, ...], Field(max_length=20)] = (
        5,
        30,
        120,
        600,
        3_600,
        10_800,
    )
    """Seconds between the calls for one event; after the last it is given up."""


class Sns(Group):
    """Trust in messages that others publish on the tasks topic."""

    trust_owner_attribute: bool = False
    """Believe the message attribute ``owner``, which names the API key that a task belongs to;
    whoever may publish may then name any. Else, and without the attribute, the task belongs to
    operators."""


class Inputs(Group):
    """Bounds of what links in a task may lead to."""

    allow_hosts: tuple[Host, ...] = ()
    """Hosts (``name`` or ``name:port``) that may be fetched although their address is private."""
    allow_buckets: tuple[str, ...] = ()
    """S3 buckets that may be read, besides the output and the model bucket."""
    max_bytes: Positive = 20 * 2**20
    max_pixels: Positive = 64_000_000
    max_links: Positive = 32
    """Links in one task."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 20
    """Seconds for one link, its redirects included."""
    max_redirects: Annotated[int, Field(ge=0, le=10)] = 3


class Tasks(Group):
    """Bounds of a task on its way from the queue to its end."""

    max_attempts: Positive = 3
    """Starts before a task whose runtime keeps vanishing is reported as failed."""
    # SQS hides a message for 12 hours at most; of three seconds a third is one.
    lease_seconds: Annotated[int, Field(ge=3, le=43_200)] = 30
    """Seconds of a lease: a message of a dead worker comes back after so long; renewed at a third
    of it."""
    # SQS's longest poll has 20 seconds.
    poll_seconds: Annotated[int, Field(ge=0, le=20)] = 20
    """Seconds that a receive waits for a message; a drain waits for it too."""
    deadline_seconds: Positive = 600
    """Longest run of one task in a runtime."""
    drain_seconds: Annotated[float, Field(ge=0)] = 75
    """Seconds that a replica which goes away has for the tasks it runs; then they are handed back.
    Spot gives two minutes' notice, of which Ray and Kubernetes need their part."""
    max_payload_bytes: Positive = 2**20
    notify_running: bool = False
    """Send a notification that a task was started, too."""
    ledger_days: Positive = 30
    queue_days: Annotated[int, Field(ge=1, le=14)] = 4
    max_receives: Annotated[int, Field(ge=2, le=1000)] = 100
    """Receives after which SQS itself moves a message to the dead letters; a last resort."""


class Runtime(Group):
    """Runtime: a configured, named service of pictures."""

    name: RuntimeName
    """Name of the runtime; any case is accepted, and kept in lower case."""
    namespace: str = "default"
    type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Module name of its adapter under ``deployments/runtimes``."""
    model_filename: str | None = None
    """Checkpoint that is loaded first; v1alpha1 finds the runtime by it."""
    dynamic_model: bool = False
    """Let tasks ask for another checkpoint."""
    chart_repository: str | None = None
    chart_version: str | None = None
    extra_values: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    """Chart values of the reference system; what they mean here stands beneath what is set
    itself."""
    replicas: Positive | None = None
    """Replicas, exactly so many, day and night; None: as many as ``scaling`` lets the queue
    decide."""
    scaling: Scaling = Scaling()
    gpus: Annotated[float, Field(ge=0)] = 1
    """GPUs of a replica; 0 for one that computes on the CPU."""
    cpus: Annotated[float, Field(gt=0)] = 1
    admit: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Tasks in a replica at once: one runs, the others fetch inputs and store artifacts."""
    lookahead: Annotated[int, Field(ge=0, le=10_000)] = 32
    """Tasks leased beyond those that the replicas admit; SQS has 120,000 messages in flight."""
    resources: Mapping[str, Amount] = Field(default_factory=dict)
    """Ray's own resources that a replica asks for: so that it runs on nodes with its image."""
    options: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    """Settings of the runtime's adapter."""
    nodes: Nodes = Nodes()
    pod: Pod = Pod()

    @model_validator(mode="before")
    @classmethod
    def _with_extra_values(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "extraValues" not in given:
            return given
        extra = given["extraValues"]
        if extra is None:  # as YAML reads a key with nothing after it
            return {**given, "extraValues": {}}
        return translated(extra, given, cls) if isinstance(extra, dict) else given

    @model_validator(mode="after")
    def _bounded_once(self) -> Self:
        bounds = {
            "minReplicas": self.scaling.min_replicas,
            "maxReplicas": self.scaling.max_replicas,
        }
        given = " and ".join(
            f"scaling.{name}" for name, bound in bounds.items() if bound is not None
        )
        if self.replicas is not None and given:
            raise ValueError(f"replicas is exactly how many there are: remove it, or {given}")
        return self

    def on_one_machine(self, gpus: int | None) -> Self:
        """Fill in the bounds of the scaling for a machine with so many GPUs, None if unknown."""
        nodes = self.nodes.model_copy(update={"max_gpus": None})
        scaling = self.scaling if self.replicas else scaling_here(self, gpus)
        return self.model_copy(update={"nodes": nodes, "scaling": scaling})

    @property
    def first_replicas(self) -> int:
        """Replicas that a new cluster begins with, one at least."""
        return self.replicas or self.scaling.min_replicas or 1

    @property
    def capacity(self) -> int:
        """Tasks that may be leased at once."""
        return self.first_replicas * self.admit + self.lookahead


class Aws(Group):
    """Account, region and partition of AWS; another endpoint comes from ``AWS_ENDPOINT_URL``."""

    region: str = "us-east-1"
    account: Annotated[str, Field(pattern=r"^\d{12}$")] = "000000000000"
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws"

    @property
    def is_local(self) -> bool:
        """Flag: the account is an emulator's, with zeros for a number."""
        return not int(self.account)
