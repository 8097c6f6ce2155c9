"""Families of checkpoints: which one a file is of, and the configuration it is loaded with.

A single file holds tensors only. Their shapes are given by the configuration folders beside this
module, written from the published architectures; the vocabulary that both families share is made
from OpenAI's own file (see ``clip/ORIGIN.md``).
"""

from deployments.runtimes.diffusers.families.loading import load

__all__ = ["load"]
