"""Wait until a deployed platform serves, as far as its cluster can be reached from here."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cli.aws.kubernetes.cluster import Cluster
from cli.aws.kubernetes.ray_service import RayService
from cli.aws.sdk import AwsError, NotInTime, ObjectMissing
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
            NotInTime: it does not serve within `ray_cluster.ready_minutes`, or KubeRay gave up.
            ObjectMissing: there is no such RayService, so it never will.
        """
        deadline = time.monotonic() + 60 * self.settings.ray_cluster.ready_minutes
        last_text, was_up = "", False
        while True:
            try:
                service = RayService.of(self.cluster, self.settings)
            except ObjectMissing:
                # An AwsError, too, hence before it: nothing would ever serve, and no picture come.
                raise
            except AwsError as exc:
                self.note(f"{exc}; a picture will tell")
                return
            if service.up and was_up:
                self.note(f"RayService {service.name} {service.text}")
                return
            if service.given_up:
                raise NotInTime(
                    f"KubeRay gave up on RayService {service.name}, for good;"
                    ' see "KubeRay gave up" in docs/operations.md'
                )
            if service.text != last_text and not service.up:
                last_text = service.text
                self.note(f"RayService {service.name}: {last_text}")
            # One that is up gets its second look beyond the deadline, too.
            if time.monotonic() > deadline and not service.up:
                raise NotInTime(f"RayService {service.name} does not serve yet: {last_text}")
            was_up = service.up
            time.sleep(self.pause)
