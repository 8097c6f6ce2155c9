"""Scaling policy: how many replicas a runtime shall have; knows neither Ray nor a clock."""

from deployments.scaling.policy import Decision, Memory, Observed, decide, eta

__all__ = ["Decision", "Memory", "Observed", "decide", "eta"]
