"""Autoscaling of the replicas in Serve's controller: what it reads, decides, and tells."""
