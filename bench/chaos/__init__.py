"""Chaos: the platform on a real Ray under faults that a seed draws, and an audit of every task.

The embedded AWS stands behind a proxy that loses, delays, cuts and garbles; processes are killed.
"""
