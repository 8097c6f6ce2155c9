"""`atelier aws snapshot`: make an EBS snapshot that holds the container images of GPU nodes."""
