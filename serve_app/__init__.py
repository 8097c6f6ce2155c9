"""HTTP APIs, and the assembly of the whole platform for Ray Serve, Lambda and one machine."""
