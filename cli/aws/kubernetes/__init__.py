"""The EKS cluster of an installation: calls of its API, kubectl and helm, its RayService."""
