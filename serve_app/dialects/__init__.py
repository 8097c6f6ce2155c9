"""Inbound HTTP shapes: a body to a task, a report to an answer; both pure."""
