"""Routing: which waiting task goes to which replica; knows neither Ray nor a clock.

Only the simulator routes by it so far; replicas have the router that Ray Serve comes with.
"""

from deployments.routing.candidates import Candidate
from deployments.routing.durations import Durations, Files, Need
from deployments.routing.pending import PendingTask, PendingTasks

__all__ = ["Candidate", "Durations", "Files", "Need", "PendingTask", "PendingTasks"]
