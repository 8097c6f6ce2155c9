"""Replicas of runtimes, which make the pictures; they know no queue and no HTTP API."""
