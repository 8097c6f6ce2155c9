"""The type ``sdwebui``: a server of the Stable Diffusion Web UI's API (A1111, Forge, SD.Next)."""

from deployments.runtimes.sdwebui.adapter import SdWebUiAdapter

__all__ = ["SdWebUiAdapter"]
