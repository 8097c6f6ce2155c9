"""Replicas of runtimes: what makes the pictures; knows no queue and no HTTP API."""
