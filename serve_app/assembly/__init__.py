"""Settings and ports put together: the APIs' context, workers and replicas; without Ray."""
