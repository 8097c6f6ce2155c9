"""`atelier cost`: tables, JSON, a chart, and what it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli.conftest import Atelier

ROOT = Path(__file__).resolve().parents[3]


def asked(bare: Atelier, *args: str | Path) -> Any:
    result = bare("cost", *args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_lines_add_up_to_what_is_told(bare: Atelier) -> None:
    said = asked(bare, "--images", "50000")

    assert said["usd"] == pytest.approx(sum(line["usd"] for line in said["lines"]), abs=1e-3)
    assert said["usd_a_million"] == pytest.approx(20 * said["usd"], abs=1e-3)
    assert said["region"] == "us-east-1"


def test_the_table_ends_with_the_sum(bare: Atelier) -> None:
    told = bare("cost", "--images", "50000").stdout
    usd = asked(bare, "--images", "50000")["usd"]

    assert f"together {usd:>0.2f}" in " ".join(told.split())
    assert f"{20 * usd:,.2f} USD for a million pictures" in told


def test_an_installation_is_read_from_its_configuration(bare: Atelier, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "stackName: other\ncheckpoints: .\naws: {region: us-west-2}\nvpc: {natGateways: 2}\n"
        "modelsRuntime:\n"
        "  - {name: cpu, type: fake, gpus: 0}\n"
        "  - {name: big, type: diffusers, nodes: {instanceTypes: [g5.2xlarge], capacity: [spot]}}\n"
    )
    said = asked(bare, "--config", config, "--runtime", "big")
    lines = {(line["service"], line["dimension"]): line for line in said["lines"]}

    assert said["region"] == "us-west-2"
    assert lines["vpc", "nat gateway"]["quantity"] == 1460
    assert ("ec2", "g5.2xlarge spot") in lines
    assert ("ec2", "g5.2xlarge on demand") not in lines


def test_ours_stands_beside_each_published_estimate(bare: Atelier) -> None:
    estimates = {each["scenario"]: each for each in asked(bare, "compare")["estimates"]}

    assert list(estimates) == ["seed-a", "ours, as seed-a", "seed-b", "ours, as seed-b"]
    assert estimates["seed-a"]["usd"] == 436.42
    assert estimates["seed-b"]["usd"] == 442.378
    assert estimates["ours, as seed-a"]["images"] == estimates["seed-a"]["images"]
    # Ours counts what the published estimates leave out.
    assert set(estimates["ours, as seed-a"]["parts"]) > set(estimates["seed-a"]["parts"])


def test_a_published_estimate_is_told_with_its_slips(bare: Atelier) -> None:
    said = asked(bare, "seed-a")

    assert (said["printed"], said["said"]) == (436.42, 436.72)
    assert (
        "- the rows as printed add up to 436.42, its text says 436.72"
        in bare("cost", "seed-a").stdout
    )
    assert "- its arithmetic is right" in bare("cost", "seed-b").stdout


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--region", "eu-west-1"], "no prices of eu-west-1"),
        (["--gpu", "p9.huge"], "no price of ec2 'p9.huge spot'"),
        (["--runtime", "absent"], "absent is not in the configuration"),
        (["--config", "absent.yaml"], "absent.yaml: cannot be read"),
        (["--prices", "absent.yaml"], "absent.yaml"),
        (["--spot", "1.5"], "--spot"),
        (["--chart", "cost.exe"], "--chart cost.exe"),
        (["seed-a", "--images", "5"], "seed-a has its own load"),
        (["compare", "--region", "us-east-1"], "compare has its own load"),
        (["seed-b", "--config", "absent.yaml"], "seed-b is an estimate of others"),
    ],
)
def test_wrong_usage_is_named(
    bare: Atelier, args: list[str], why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = bare("cost", *args)

    assert result.exit_code == 2
    assert why in result.stderr


def test_a_chart_is_drawn(bare: Atelier, tmp_path: Path) -> None:
    chart = tmp_path / "cost.png"
    asked(bare, "compare", "--chart", chart)

    with Image.open(chart) as picture:
        colours = picture.convert("RGB").getcolors(2**20) or []

    assert picture.size == (1080, 576)
    assert len(colours) > 10


def test_without_matplotlib_a_chart_says_what_is_missing(
    bare: Atelier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = bare("cost", "--chart", "cost.png")

    assert result.exit_code == 2
    assert "pip install 'atelier[charts]'" in result.stderr
