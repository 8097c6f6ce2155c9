"""Version of the platform, where the package's own metadata may not be at hand."""

VERSION = "0.1.0"
