"""Compare our ingest with a yardstick in interleaved rounds, over stand-ins: `make compare`.

The harness (its folder is an argument) has the simulated GPU behind the APIs of the Web UI and of
ComfyUI, a light AWS, a proxy that delays and counts every call, and the yardstick: the smallest
pipelined consumer, which does not speak to ComfyUI.
It has no DynamoDB: our ledger runs on the embedded AWS behind the same proxy, and its calls are
counted too.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import typer
from rich.progress import track

from bench.report import OUT, Amount, Count, Out, report
from models.loopback import free_port
from models.settings import Settings
from samples.environment import environment_variables
from serve_app.local.emulator import EmbeddedAws, provision_sync

HERE = Path(__file__).resolve().parents[1]
MIX = {"webui": "t2i:0.5,i2i-http:0.25,i2i-s3:0.25", "comfy": "comfy:1"}
REGION = "us-west-2"  # the harness's
YARDSTICK, OURS = "yardstick", "ours"
COLUMNS = (OURS, YARDSTICK, "ratio")

Row = Mapping[str, Any]
Figure = dict[str, float]
"""Value of a measure for each system, and the ratio of the two."""


@dataclass(frozen=True)
class Setup:
    """Parameters of a comparison: harness, tasks, delays in milliseconds, rounds."""

    harness: Path | None
    kind: str
    gpu_ms: float
    delay_ms: float
    tasks: int
    rounds: int

    @property
    def programs(self) -> Path:
        """Folder of the harness's programs, which those that ask for it need."""
        if self.harness is None:
            raise ValueError("this measurement has no harness")
        return self.harness

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems that speak this API, in the order of a round."""
        return (YARDSTICK, OURS) if self.kind == "webui" else (OURS,)

    @property
    def arguments(self) -> list[str]:
        given = {
            "--kind": self.kind,
            "--mix": MIX[self.kind],
            "--gpu-ms": self.gpu_ms,
            "--delay-ms": self.delay_ms,
            "--n": self.tasks,
        }
        return [str(part) for pair in given.items() for part in pair]


@contextmanager
def ledger(setup: Setup, folder: Path) -> Iterator[Mapping[str, str]]:
    """A ledger behind the harness's own proxy; the environment that leads to it."""
    settings = Settings.read(
        args={
            "stackName": "bench",
            "checkpoints": folder,
            "modelsRuntime": [{"name": "bench", "type": "fake"}],
            "aws": {"region": REGION},
        }
    )
    stats = folder / "ledger.json"
    with EmbeddedAws(region=REGION) as aws, environment_variables(aws.environment):
        provision_sync(settings)
        port, behind = free_port(0, "proxy"), aws.environment["AWS_ENDPOINT_URL"].rpartition(":")[2]
        route = f"dynamodb:{port}:127.0.0.1:{behind}:{setup.delay_ms}"
        command = [sys.executable, str(setup.programs / "delay_proxy.py")]
        with subprocess.Popen([*command, "--map", route, "--stats", str(stats)]) as proxy:
            try:
                url = f"http://127.0.0.1:{port}"
                yield {"AWS_ENDPOINT_URL_DYNAMODB": url, "LEDGER_TABLE": settings.names.ledger}
            finally:
                proxy.terminate()


def run(setup: Setup, what: str, system: str, systems: Path, folder: Path) -> Row:
    """Run one round of one system, and return the row that the harness measured."""
    out = folder / f"{system}.json"
    command = [sys.executable, str(setup.programs / "bench.py"), what, *setup.arguments]
    command += ["--system", system, "--systems", str(systems), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    row: Row = json.loads(out.read_text())
    if row["completed"] < setup.tasks or row["failed"]:
        sys.exit(f"{system}: {row['completed']} of {setup.tasks} completed, {row['failed']} failed")
    return row


def compare(setup: Setup) -> dict[str, Figure]:
    with TemporaryDirectory() as made:
        folder = Path(made)
        with ledger(setup, folder) as environment:
            systems = write_systems(setup, environment, folder)
            rows: dict[str, dict[str, list[Row]]] = {}
            rounds = [(what, s) for what in _FIGURES for s in setup.systems * setup.rounds]
            for what, system in track(rounds, f"{setup.kind}, T = {setup.gpu_ms:g} ms"):
                row = run(setup, what, system, systems, folder)
                rows.setdefault(what, {}).setdefault(system, []).append(row)
            time.sleep(1)  # the proxy writes its counts now and then
            calls = json.loads((folder / "ledger.json").read_text())["calls"]
    figures = {name: figure for what in rows for name, figure in _figures(what, rows[what])}
    tasks = (setup.tasks * 2 + 1) * setup.rounds
    counted = {f"{name} a task": {OURS: round(count / tasks, 2)} for name, count in calls.items()}
    return figures | counted


def write_systems(setup: Setup, environment: Mapping[str, str], folder: Path) -> Path:
    """Write the harness's file of both systems, ours with its ledger."""
    path = folder / "systems.json"
    reference = [sys.executable, "-u", str(setup.programs / "ref_consumer.py")]
    ours = {"cmd": [sys.executable, "-u", "-m", "bench.consumer"], "cwd": str(HERE)}
    systems = {YARDSTICK: {"cmd": reference}, OURS: ours | {"env": dict(environment)}}
    path.write_text(json.dumps(systems))
    return path


_FIGURES = {
    "throughput": {
        "GPU busy": lambda row: row["gpu_busy_frac"],
        "mean gap, ms": lambda row: row["idle_gap_ms"]["mean"],
        "CPU a task, ms": lambda row: row["cpu_ms_per_task"],
        "memory (PSS), MiB": lambda row: row["pss_mib_peak"],
        "SQS, SNS and S3 calls a task": lambda row: sum(row["aws_calls"].values()) / row["n"],
    },
    "latency": {"added to one task, ms": lambda row: row["overhead_ms"]["p50"]},
}


def _figures(what: str, rows: Mapping[str, list[Row]]) -> Iterator[tuple[str, Figure]]:
    """The median of each figure, and ours over the yardstick's."""
    for name, read in _FIGURES[what].items():
        figure = {system: round(statistics.median(map(read, rows[system])), 4) for system in rows}
        if theirs := figure.get(YARDSTICK):
            figure["ratio"] = round(figure[OURS] / theirs, 3)
        yield name, figure


def main(
    harness: Annotated[Path, typer.Argument(resolve_path=True, help="folder with bench.py")],
    *,
    kind: Literal["webui", "comfy"] = "webui",
    gpu_ms: Amount = 200,
    delay_ms: Amount = 20,
    tasks: Count = 50,
    rounds: Count = 3,
    out: Out = OUT,
) -> None:
    """Measure this platform beside a yardstick."""
    setup = Setup(harness, kind, gpu_ms, delay_ms, tasks, rounds)
    found = compare(setup)
    rows = [(name, *(one.get(key, "") for key in COLUMNS)) for name, one in found.items()]
    path = out / f"compare-{setup.kind}-{setup.gpu_ms:g}.json"
    report(path, asdict(setup), found, ("figure", *COLUMNS), rows)


if __name__ == "__main__":
    typer.run(main)
