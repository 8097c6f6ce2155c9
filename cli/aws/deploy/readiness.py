"""Wait until a deployed platform serves, as far as its cluster can be reached from here."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cli.aws.errors import AwsError, Late, Missing
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.kubernetes.ray_service import RayService
from models.settings import Settings

_PAUSE = 10.0


@dataclass(frozen=True)
class Readiness:
    """Waits for the RayService of an installation."""

    cluster: Cluster
    settings: Settings
    note: Callable[[str], None]
    pause: float = _PAUSE

    def wait(self) -> None:
        """Wait until the RayService serves; return at once if the cluster cannot be reached.

        It must serve at two looks in a row: KubeRay asks Serve for its state, hands it the new
        configuration, and writes the former answer as one to the new generation; two seconds later
        it looks again.

        Raises:
            Late: it does not serve within `ray_cluster.ready_minutes`, or KubeRay gave up.
            Missing: there is no such RayService, so it never will.
        """
        end = time.monotonic() + 60 * self.settings.ray_cluster.ready_minutes
        said, was_up = "", False
        while True:
            try:
                now = RayService.of(self.cluster, self.settings)
            except Missing:
                raise
            except AwsError as exc:
                self.note(f"{exc}; a picture will tell")
                return
            if now.up and was_up:
                self.note(f"RayService {now.name} {now.text}")
                return
            if now.given_up:
                raise Late(
                    f"KubeRay gave up on RayService {now.name}, for good;"
                    ' see "KubeRay gave up" in docs/operations.md'
                )
            if now.text != said and not now.up:
                said = now.text
                self.note(f"RayService {now.name}: {said}")
            if time.monotonic() > end and not now.up:
                raise Late(f"RayService {now.name} does not serve yet: {said}")
            was_up = now.up
            time.sleep(self.pause)
