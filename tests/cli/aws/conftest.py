from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.handlers
import botocore.loaders
import botocore.session
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import EmptyResult
from moto.ec2.responses import EC2Response
from moto.eks.models import eks_backends
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend
from platformdirs import user_cache_path
from typer.testing import CliRunner, Result

from cli.aws.kubernetes.cluster import Cluster
from cli.aws.sdk import Aws
from cli.main import app
from models.settings import Settings
from serve_app.local.emulator import EmbeddedAws
from tests.cli.aws.kubernetes_api import KubeApi, kube_api
from tests.cli.aws.platform import file_of, made, make_stack, settings_of, unique, working, write
from tests.cli.aws.region import HANDLERS
from tests.cli.aws.stand_in_programs import Programs, installed

Call = Callable[..., Result]
CLUSTER = "Studio"
"""Name of an EKS cluster, whose API is on loopback: see `kube`."""
CACHE = user_cache_path()
"""Cache folder of the real user: kubectl and helm are unpacked_program there once."""
QUOTAS = {
    "L-1216C47A": 32.0,
    "L-DB2E81BA": 48.0,
    "L-3819A6DF": 48.0,
    "L-417A185B": 0.0,
    "L-7212CCBC": 0.0,
}


@pytest.fixture(scope="session", autouse=True)
def _models_of_services_are_read_once() -> Iterator[None]:
    """Read botocore's service models once; each of hundreds of commands would read them again."""
    loader = botocore.loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda _: loader)
        yield


@pytest.fixture(scope="package")
def aws_here() -> Iterator[EmbeddedAws]:
    """Embedded AWS with all of its services: the commands look at many."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def signed_in(
    aws_here: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> EmbeddedAws:
    """Sign a person in at the embedded AWS, in an empty folder."""
    _clean(monkeypatch, tmp_path)
    for name, value in aws_here.environment.items():
        monkeypatch.setenv(name, value)
    return aws_here


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Sign a person in at moto in this process, whose EC2 and SSM know more."""
    _clean(monkeypatch, tmp_path)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield


@pytest.fixture
def quotas_there(moto: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Quotas of the account, in vCPUs by code; moto knows the quotas of networks only."""
    known = dict(QUOTAS)

    def get(_: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        if quota_code not in known:
            raise NoSuchResource
        return {"QuotaCode": quota_code, "Value": known[quota_code]}

    monkeypatch.setattr(ServiceQuotasBackend, "get_service_quota", get)
    return known


@pytest.fixture
def atelier() -> Call:
    """Call `atelier aws` as a shell does."""

    def call(*args: str | Path, stdin: str | None = None) -> Result:
        words = ["aws", *map(str, args)]
        return CliRunner().invoke(app, words, input=stdin, catch_exceptions=False)

    return call


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer calls that no emulator knows as a region that has what is pinned."""
    known = [*botocore.handlers.BUILTIN_HANDLERS, *HANDLERS]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", known)
    # moto does not know this call, and would raise an error of its own.
    name = "get_ebs_default_kms_key_id"
    monkeypatch.setattr(EC2Response, name, lambda _: EmptyResult(), raising=False)


@pytest.fixture
def programs(
    signed_in: EmbeddedAws, region: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Programs]:
    """Programs `cdk`, `npm` and `docker` that win over those of this machine."""
    with installed(tmp_path / "bin") as programs:
        monkeypatch.setenv("ATELIER_TOOLS", str(programs.folder))
        # The emulator's third zone is use1-az3, where EKS is not.
        monkeypatch.setenv("ATELIER_VPC__ZONES", '["a", "b"]')
        yield programs


@pytest.fixture
def kube(moto: None, tmp_path: Path) -> Iterator[KubeApi]:
    """EKS cluster whose API is on loopback."""
    role = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/eks"
    eks = boto3.client("eks", region_name="us-east-1")
    eks.create_cluster(
        name=CLUSTER, roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]}
    )
    cluster = eks_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].clusters[CLUSTER]
    with kube_api(tmp_path) as api:
        cluster.endpoint = api.url
        cluster.certificate_authority = {"data": api.authority}
        yield api


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    aws = {"region": "us-east-1", "account": DEFAULT_ACCOUNT_ID}
    path = write(tmp_path / "config.studio.yaml", file_of(CLUSTER, aws=aws))
    return Settings.read(path)


@pytest.fixture
def cluster(kube: KubeApi) -> Cluster:
    return Cluster(Aws("us-east-1"), CLUSTER)


@pytest.fixture
def installation(signed_in: EmbeddedAws, tmp_path: Path) -> Settings:
    """Installation without a worker: tasks stay in their queue. Its file is in the folder."""
    name = unique()
    write(tmp_path / f"config.{name}.yaml", file_of(name))
    settings = settings_of(name)
    made(settings)
    make_stack(settings)
    return settings


@pytest.fixture(scope="package")
def platform(aws_here: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Installation that works, for all tests that only send tasks."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_here.environment.items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("platform")
        settings = settings_of(unique("p"))
        with working(settings) as url:
            make_stack(settings, front=url)
            write(folder / "config.yaml", file_of(settings.stack_name))
            yield folder / "config.yaml"


def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "API_VERSION", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
