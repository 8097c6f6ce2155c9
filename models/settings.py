"""What people set: ``config.yaml`` < ``ATELIER_*`` environment < Serve ``args``, once, frozen.

The keys of the reference system's file keep their names and meanings (contract 2.1).
"""

from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    AliasGenerator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from models.errors import SettingsError
from models.part import Part, explained

_RUNTIME_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"

_file: ContextVar[Mapping[str, Any]] = ContextVar("the parsed file")


def _signing(given: SecretStr) -> SecretStr:
    """Standard Webhooks: ``whsec_`` and 24 to 64 bytes in base64."""
    kind, _, text = given.get_secret_value().partition("_")
    try:
        size = len(b64decode(text, validate=True))
    except ValueError:
        size = 0
    if kind != "whsec" or not 24 <= size <= 64:  # noqa: PLR2004 - the standard's own numbers
        raise ValueError("must be whsec_ and 24 to 64 random bytes in base64")
    return given


Positive = Annotated[int, Field(ge=1)]
RetrySeconds = Annotated[int, Field(ge=0, le=43_000)]
"""SQS keeps a message invisible for 12 hours, counted from its receipt."""
CallbackSecret = Annotated[SecretStr, AfterValidator(_signing)]
RuntimeName = Annotated[str, Field(pattern=_RUNTIME_NAME, max_length=60), AfterValidator(str.lower)]


class Throttle(Part):
    """A token bucket for each API key."""

    rate_limit: Annotated[float, Field(gt=0)] = 30
    """Requests a second that fill the bucket."""
    burst_limit: Positive = 50
    """Requests that the bucket holds."""


class Gateway(Part):
    stage_name: str = "dev"
    throttle: Throttle = Throttle()


class Ingress(Part):
    """The HTTP front."""

    replicas: Positive = 1
    """Each counts its own requests: a key has the throttle in each of them."""


class ClusterComponents(Part):
    instance_type: str = "m7g.large"
    desired_count: Positive = 2


class ApiKey(Part):
    name: str
    """Who uses it; may stand in a log."""
    key: Annotated[SecretStr, Field(min_length=1)]
    callback_secret: CallbackSecret | None = None
    """Signs the callbacks of this key's tasks; None: ``callbacks.secret`` does."""


class Callbacks(Part):
    """How the URLs are called that tasks name (https://www.standardwebhooks.com)."""

    secret: CallbackSecret | None = None
    """Signs the calls; without one a task with a callback is refused."""
    timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 15
    retry_seconds: Annotated[tuple[RetrySeconds, ...], Field(max_length=20)] = (
        5,
        30,
        120,
        600,
        3_600,
        10_800,
    )
    """Pauses between the calls of one event; after the last it is given up."""


class Inputs(Part):
    """What a link in a task may lead to."""

    allow_hosts: tuple[str, ...] = ()
    """Hosts (``name`` or ``name:port``) that may be fetched although their address is private."""
    allow_buckets: tuple[str, ...] = ()
    """S3 buckets that may be read, besides the output and the model bucket."""
    max_bytes: Positive = 20 * 2**20
    max_pixels: Positive = 64_000_000
    max_links: Positive = 32
    """In one task."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 20
    """For one link, its redirects included."""
    max_redirects: Annotated[int, Field(ge=0, le=10)] = 3


class Tasks(Part):
    """How a task is carried from the queue to its end."""

    max_attempts: Positive = 3
    """Starts before a task whose runtime keeps vanishing is reported as failed."""
    lease_seconds: Annotated[int, Field(ge=3, le=43_200)] = 30
    """A message of a dead worker comes back after so long; renewed at a third of it."""
    poll_seconds: Annotated[int, Field(ge=0, le=20)] = 20
    """How long a receive waits for a message; a drain waits for it too."""
    deadline_seconds: Positive = 600
    """The longest run of one task in a runtime."""
    drain_seconds: Annotated[float, Field(ge=0)] = 110
    """What a replica that goes away has for the tasks it runs; then they are handed back."""
    max_payload_bytes: Positive = 2**20
    notify_running: bool = False
    """Whether a notification says that a task was started."""
    ledger_days: Positive = 30
    queue_days: Annotated[int, Field(ge=1, le=14)] = 4
    max_receives: Annotated[int, Field(ge=2, le=1000)] = 100
    """Receives after which SQS itself moves a message to the dead letters; a last resort."""


class Runtime(Part):
    """A configured, named service of pictures."""

    name: RuntimeName
    """Any case is accepted; kept in lower case."""
    namespace: str = "default"
    type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Module name of its adapter under ``deployments/runtimes``."""
    model_filename: str | None = None
    """The checkpoint that is loaded first; v1alpha1 finds the runtime by it."""
    dynamic_model: bool = False
    """Whether a task may ask for another checkpoint."""
    chart_repository: str | None = None
    chart_version: str | None = None
    extra_values: Mapping[str, Any] = Field(default_factory=dict)
    replicas: Positive = 1
    gpus: Annotated[float, Field(ge=0)] = 1
    """GPUs of a replica; 0 for one that computes on the CPU."""
    cpus: Annotated[float, Field(gt=0)] = 1
    admit: Positive = 4
    """Tasks in a replica at once: one runs, the others fetch inputs and store artifacts."""
    lookahead: Annotated[int, Field(ge=0)] = 2
    """Tasks leased beyond those that the replicas admit."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """The adapter's own settings."""

    @property
    def capacity(self) -> int:
        """Tasks that may be leased at once."""
        return self.replicas * self.admit + self.lookahead


class Aws(Part):
    """Where the resources are; an endpoint other than AWS's comes from ``AWS_ENDPOINT_URL``."""

    region: str = "us-east-1"
    account: Annotated[str, Field(pattern=r"^\d{12}$")] = "000000000000"
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws"


class Settings(BaseSettings):
    """The configuration of one installation."""

    model_config = SettingsConfigDict(
        alias_generator=AliasGenerator(alias=to_camel),
        extra="forbid",
        frozen=True,
        env_prefix="ATELIER_",
        env_prefix_target="all",
        env_nested_delimiter="__",
    )

    stack_name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,39}$")]
    model_bucket_arn: Annotated[str, Field(pattern=r"^arn:[a-z-]+:s3:::.+")] | None = None
    cluster_components: ClusterComponents = ClusterComponents()
    gateway: Annotated[Gateway, Field(alias="APIGW")] = Gateway()
    ingress: Ingress = Ingress()
    models_runtime: tuple[Runtime, ...]
    api_keys: tuple[ApiKey, ...] = ()
    aws: Aws = Aws()
    output_bucket_name: str | None = None
    checkpoints: Path | None = None
    """A local folder laid out as the model bucket; instead of the bucket."""
    inputs: Inputs = Inputs()
    tasks: Tasks = Tasks()
    callbacks: Callbacks = Callbacks()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings  # no source that nobody asked for
        file = InitSettingsSource(settings_cls, init_kwargs=dict(_file.get({})))
        return init_settings, env_settings, file

    @classmethod
    def read(cls, path: Path | None = None, args: Mapping[str, Any] | None = None) -> "Settings":
        """Read the file, then the environment, then ``args``; each wins over the one before.

        Raises:
            SettingsError: naming each wrong key by its path, and what is allowed there.
        """
        token = _file.set(_parse(path) if path else {})
        try:
            return cls(**(args or {}))
        except ValidationError as exc:
            raise SettingsError(explained(exc, cls)) from None
        finally:
            _file.reset(token)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.models_runtime:
            raise ValueError("modelsRuntime: at least one runtime is needed")
        _once("modelsRuntime[].name", (r.name for r in self.models_runtime))
        _once("modelsRuntime[].modelFilename", (r.model_filename for r in self.models_runtime))
        _once("apiKeys[].key", (k.key.get_secret_value() for k in self.api_keys), secret=True)
        if self.model_bucket_arn is None and self.checkpoints is None:
            raise ValueError("modelBucketArn or checkpoints (a folder) must say where weights are")
        return self

    def runtime(self, name: str) -> Runtime | None:
        """The runtime of this name, in any case."""
        return next((r for r in self.models_runtime if r.name == name.lower()), None)

    def runtime_of_checkpoint(self, checkpoint: str) -> Runtime | None:
        """Whose ``modelFilename`` it is; else the first that loads any checkpoint on demand."""
        named = (r for r in self.models_runtime if r.model_filename == checkpoint)
        dynamic = (r for r in self.models_runtime if r.dynamic_model)
        return next(named, None) or next(dynamic, None)

    @property
    def stack(self) -> str:
        return self.stack_name.lower()

    @property
    def tasks_topic(self) -> str:
        return f"{self.stack}-tasks"

    @property
    def results_topic(self) -> str:
        return f"{self.stack}-results"

    def queue(self, runtime: str) -> str:
        return f"{self.stack}-{runtime}"

    def dead_letters(self, runtime: str) -> str:
        return f"{self.queue(runtime)}-dead-letters"

    @property
    def unrouted(self) -> str:
        """The queue of messages on the tasks topic that no runtime's filter takes."""
        return f"{self.tasks_topic}-unrouted"

    @property
    def callback_calls(self) -> str:
        """The queue of calls to be made to tasks' callbacks."""
        return f"{self.results_topic}-callbacks"

    @property
    def ledger(self) -> str:
        return f"{self.stack}-ledger"

    @property
    def output_bucket(self) -> str:
        return self.output_bucket_name or f"{self.stack}-outputs"

    @property
    def model_bucket(self) -> str | None:
        return self.model_bucket_arn.partition(":::")[2] if self.model_bucket_arn else None

    @property
    def readable_buckets(self) -> frozenset[str]:
        """Buckets that a task's ``s3://`` links may name."""
        own = {self.output_bucket} | ({self.model_bucket} if self.model_bucket else set())
        return frozenset(own | set(self.inputs.allow_buckets))

    def callback_secret(self, key: str | None) -> SecretStr | None:
        """What signs the callbacks of tasks sent with the API key of this name."""
        own = next((k.callback_secret for k in self.api_keys if k.name == key), None)
        return own or self.callbacks.secret

    def arn(self, service: Literal["sns", "sqs"], name: str) -> str:
        return f"arn:{self.aws.partition}:{service}:{self.aws.region}:{self.aws.account}:{name}"


def _parse(path: Path) -> dict[str, Any]:
    try:
        parsed = yaml.safe_load(path.read_text())
    except OSError as exc:
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from None
    except yaml.YAMLError as exc:
        raise SettingsError(f"{path}: not YAML: {exc}") from None
    if not isinstance(parsed, dict):
        raise SettingsError(f"{path}: must be a mapping of settings, such as stackName: atelier")
    return parsed


def _once(key: str, values: Iterable[str | None], *, secret: bool = False) -> None:
    twice = [v for v, n in Counter(values).items() if v is not None and n > 1]
    if twice:
        raise ValueError(
            f"{key} must be unique" + ("" if secret else f", but has {twice[0]!r} twice")
        )
