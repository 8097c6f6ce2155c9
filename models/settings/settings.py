"""Settings of an installation: ``config.yaml`` < ``ATELIER_*`` < Serve ``args``, once, frozen.

The keys of the reference system's file keep their names and meanings (contract 2.1).
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Self

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

from models.capacity import bounded_scaling
from models.errors import SettingsError
from models.names import Names
from models.settings import cloud
from models.settings.api_keys import ApiKey
from models.settings.base import explained
from models.settings.browser_entry import BrowserEntry
from models.settings.buckets import BucketArn, BucketName
from models.settings.consistency import refuse_contradictions
from models.settings.environment import Environment, refuse_unknown
from models.settings.groups import (
    Aws,
    Callbacks,
    ClusterComponents,
    Gateway,
    Ingest,
    Ingress,
    Inputs,
    Runtime,
    Sns,
    Tasks,
)
from models.settings.limits import Limits
from models.settings.scaling import BoundedScaling
from models.yaml_text import yaml_file

# pydantic-settings asks the class for its sources, so no argument can bring the file there.
_file: ContextVar[Mapping[str, Any]] = ContextVar("the parsed file")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


class Settings(BaseSettings):
    """Configuration of one installation."""

    model_config = SettingsConfigDict(
        alias_generator=AliasGenerator(alias=to_camel),
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        env_prefix="ATELIER_",
        env_prefix_target="all",  # for aliases, too, which all settings have
        env_nested_delimiter="__",
    )

    stack_name: Annotated[
        str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$", max_length=40)
    ]
    model_bucket_arn: BucketArn | None = None
    cluster_components: ClusterComponents = ClusterComponents()
    gateway: Annotated[Gateway, Field(alias="APIGW")] = Gateway()
    ingress: Ingress = Ingress()
    ingest: Ingest = Ingest()
    models_runtime: tuple[Runtime, ...]
    api_keys: tuple[ApiKey, ...] = ()
    api_keys_file: Annotated[Path, AfterValidator(_absolute)] | None = None
    """File of digests that ``atelier keys`` writes, beside the configuration; read again when it
    changes. A file that does not exist has no keys."""
    aws: Aws = Aws()
    output_bucket_name: BucketName | None = None
    checkpoints: Path | None = None
    """Local folder of weights, laid out as the model bucket; instead of the bucket."""
    log_file: Path | None = None
    """File for events as JSON lines, besides Serve's own log; what a container prints is
    ``/proc/1/fd/1``."""
    sns: Sns = Sns()
    limits: Limits = Limits()
    inputs: Inputs = Inputs()
    tasks: Tasks = Tasks()
    callbacks: Callbacks = Callbacks()
    vpc: cloud.Vpc = cloud.Vpc()
    cluster: cloud.Cluster = cloud.Cluster()
    ray_cluster: cloud.RayCluster = cloud.RayCluster()
    images: cloud.Images = cloud.Images()
    storage: cloud.Storage = cloud.Storage()
    edge: cloud.Edge = cloud.Edge()
    front: BrowserEntry = BrowserEntry()
    alarms: cloud.Alarms = cloud.Alarms()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # No source that nobody asked for; the environment is read by one of our own.
        del env_settings, dotenv_settings, file_secret_settings
        file = InitSettingsSource(settings_cls, init_kwargs=dict(_file.get({})))
        # The first one that has a value wins.
        return init_settings, Environment(settings_cls), file

    @classmethod
    def read(cls, path: Path | None = None, args: Mapping[str, Any] | None = None) -> "Settings":
        """Read the file, then the environment, then ``args``; each wins over the one before.

        Raises:
            SettingsError: naming each wrong key by its path, and what is allowed there.
        """
        refuse_unknown(os.environ, list(_keys()))
        token = _file.set(_parse(path) if path else {})
        try:
            return cls(**_texts(args or {}, "Serve's args"))
        except ValidationError as exc:
            explanation = explained(exc, cls)
        finally:
            _file.reset(token)
        # Outside, so that its context does not hold what was given.
        raise SettingsError(explanation)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.models_runtime:
            raise ValueError("modelsRuntime: at least one runtime is needed")
        _once("modelsRuntime[].name", (runtime.name for runtime in self.models_runtime))
        _once(
            # By it v1alpha1, which names no runtime, finds one.
            "modelsRuntime[].modelFilename",
            (runtime.model_filename for runtime in self.models_runtime),
        )
        _one_role(self.api_keys)
        _once(
            "apiKeys[]: secrets",
            (secret.digest for key in self.api_keys for secret in key.all_secrets),
        )
        if self.api_keys_file is None and not all(key.all_secrets for key in self.api_keys):
            raise ValueError("apiKeys[] needs a key, or secrets; without one nobody comes in by it")
        if self.model_bucket_arn is None and self.checkpoints is None:
            raise ValueError("modelBucketArn or checkpoints (a folder) must say where weights are")
        refuse_contradictions(self)
        return self

    def runtime(self, name: str) -> Runtime | None:
        """Find the runtime of this name, in any case."""
        return next((each for each in self.models_runtime if each.name == name.lower()), None)

    def scaling_of(self, runtime: Runtime) -> BoundedScaling:
        """Return the scaling of one of these runtimes, with both bounds filled in."""
        return bounded_scaling(runtime, on_aws=not self.aws.is_local)

    def on_one_machine(self, gpus: int | None) -> Self:
        """Fill in the bounds of each runtime's scaling for a machine to which no nodes come.

        ``gpus``: those of the machine; None if they are not known.
        """
        runtimes = tuple(runtime.on_one_machine(gpus) for runtime in self.models_runtime)
        return self.model_copy(update={"models_runtime": runtimes})

    @property
    def names(self) -> Names:
        """Names of the installation's resources."""
        return Names(
            stack_name=self.stack_name,
            aws=self.aws,
            configured_output_bucket=self.output_bucket_name,
        )

    @property
    def model_bucket(self) -> str | None:
        return self.model_bucket_arn.partition(":::")[2] if self.model_bucket_arn else None

    @property
    def readable_buckets(self) -> frozenset[str]:
        """Buckets that a task's ``s3://`` links may name."""
        own = {self.names.output_bucket} | ({self.model_bucket} if self.model_bucket else set())
        return frozenset(own | set(self.inputs.allow_buckets))

    def callback_secret(self, key: str | None) -> SecretStr | None:
        """Find the secret that signs callbacks of tasks sent with the API key of this name."""
        secrets = (each.callback_secret for each in self.api_keys if each.name == key)
        return next(filter(None, secrets), None) or self.callbacks.secret

    def without_secrets(self) -> dict[str, Any]:
        """Write as JSON that `read` takes; without API keys and secrets that sign callbacks."""
        return self.model_dump(
            mode="json",
            by_alias=True,
            exclude={"api_keys": True, "callbacks": {"secret": True}},
            exclude_defaults=True,
        )


def _parse(path: Path) -> dict[str, Any]:
    parsed = yaml_file(path)
    if not isinstance(parsed, dict):
        raise SettingsError(f"{path}: must be a mapping of settings, such as stackName: atelier")
    given = _texts(parsed, str(path))
    # Relative to the configuration, and not to where the command happens to be called.
    if isinstance(beside := given.get("apiKeysFile"), str):
        given["apiKeysFile"] = str(path.absolute().parent / Path(beside).expanduser())
    return given


def _texts(given: Mapping[Any, Any], whose: str) -> dict[str, Any]:
    if not all(isinstance(key, str) for key in given):
        raise SettingsError(f"{whose}: each setting's name must be a text")
    exact = {key.lower(): key for key in _keys()}
    for key in given:
        if (right := exact.get(key.lower(), key)) != key:
            raise SettingsError(f"{key}: unknown key; did you mean {right!r}?")
    return dict(given)


def _keys() -> Iterable[str]:
    return (field.alias or name for name, field in Settings.model_fields.items())


def _one_role(keys: Iterable[ApiKey]) -> None:
    """Require keys of the same name to agree, as they are the same tenant's."""
    roles = {key.name: key.role for key in keys}
    if any(key.role is not roles[key.name] for key in keys):
        raise ValueError("apiKeys[].role must be the same for all keys of one name")


def _once(key: str, values: Iterable[str | None]) -> None:
    given = list(values)
    twice = [value for value, times in Counter(given).items() if value is not None and times > 1]
    if twice:
        places = " and ".join(
            f"[{number}]" for number, value in enumerate(given) if value == twice[0]
        )
        raise ValueError(f"{key} must be unique, but {places} have the same")
