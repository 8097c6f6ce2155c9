"""Descriptions of runtime types, which are those of their adapters, and light."""

import subprocess
import sys

import pytest

from deployments.runtimes import adapter_class, described, kinds_of, runtime_types
from models.runtimes import TYPES


@pytest.mark.parametrize("name", runtime_types())
def test_an_adapter_is_what_its_description_says(name: str) -> None:
    adapter = adapter_class(name)

    assert adapter.described is TYPES[name] is described(name)
    assert adapter.kinds == kinds_of(name) == TYPES[name].kinds
    assert TYPES[name].name == name


def test_the_descriptions_import_no_backend() -> None:
    heavy = {"torch", "diffusers", "ray", "boto3", "botocore", "aiohttp", "PIL", "httpx", "psutil"}
    code = f"import sys, models.runtimes; print(*({heavy} & sys.modules.keys()))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.split() == []
