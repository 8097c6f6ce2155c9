"""The platform on this machine, as `atelier up` starts, watches and ends it."""
