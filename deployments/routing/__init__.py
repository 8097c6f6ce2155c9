"""Routing: which waiting task goes to which replica.

`request_router` alone knows Ray; the rest knows neither that nor a clock of its own, so that the
simulator and the tests run the same code.
"""

from deployments.routing.alike import Candidate
from deployments.routing.durations import Durations, Files, Need
from deployments.routing.pending import PendingTask, PendingTasks

__all__ = ["Candidate", "Durations", "Files", "Need", "PendingTask", "PendingTasks"]
