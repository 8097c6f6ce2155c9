"""Traces of tasks that name checkpoints, on replicas of a real Ray Serve and simulated."""
