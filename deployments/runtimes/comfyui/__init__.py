"""The type ``comfyui``: a server of the replica's own, or one that already runs, by its HTTP API.

Importing this starts nothing and loads nothing heavy: the HTTP API reads ``kinds`` from it.
"""

from deployments.runtimes.comfyui.adapter import ComfyUiAdapter

__all__ = ["ComfyUiAdapter"]
