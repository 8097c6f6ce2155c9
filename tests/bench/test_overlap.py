"""Parts of the platform, as the benchmark tells its processes apart."""

import pytest

from bench.overlap import part_of


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (["ray::ServeReplica:atelier:Ingest"], "ingest"),
        (["ray::ServeReplica:atelier:Ingress"], "ingress"),
        (["ray::ServeReplica:atelier:painter"], "replica"),
        (["ray::ServeController"], "controller"),
        (["/site/ray/core/src/ray/raylet/raylet", "--agent=dashboard/agent.py"], "raylet"),
        (["/site/ray/core/src/ray/gcs/gcs_server", "--log_dir=/a"], "gcs"),
        (["ray-dashboard-NodeHead-0 (python)"], "dashboard"),
        (["ray::DashboardAgent"], "dashboard"),
        (["python", "-u", "/site/ray/_private/log_monitor.py"], "log monitor"),
        ([], "other"),
    ],
)
def test_a_process_is_part_of_what_it_works_for(command: list[str], part: str) -> None:
    assert part_of(command) == part
