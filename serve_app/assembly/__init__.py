"""Assembly from settings and ports, without Ray: the APIs' context, workers and replicas."""
