"""Simulation of a runtime's fleet: tasks, replicas and nodes as seeded discrete events."""
