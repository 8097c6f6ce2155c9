"""Stable Diffusion in the replica's own process, by diffusers.

Importing this loads neither torch nor diffusers: the HTTP API reads ``kinds`` without them.
"""

from deployments.runtimes.diffusers.adapter import DiffusersAdapter

__all__ = ["DiffusersAdapter"]
