"""Names of what an installation has on AWS, in Kubernetes and on a laptop's emulator."""

from models.names.names import Names

__all__ = ["Names"]
