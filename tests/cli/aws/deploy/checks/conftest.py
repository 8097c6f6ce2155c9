from typing import Any

import pytest

from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.platform import file_of

REGION = "us-west-2"


@pytest.fixture
def aws(moto: None) -> Aws:
    return Aws(REGION)


def wanted(**more: Any) -> Settings:
    """Make settings of a runtime with GPUs, and these changes."""
    runtimes = more.pop("modelsRuntime", None) or [runtime()]
    there = {"region": more.pop("region", REGION), "account": "123456789012"}
    return Settings.read(args=file_of("atelier", aws=there, modelsRuntime=runtimes, **more))


def runtime(**more: Any) -> dict[str, Any]:
    return {"name": "painter", "type": "diffusers", **more}
