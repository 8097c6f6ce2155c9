"""Ray cluster on one machine whose nodes come and go as on Kubernetes: only the nodes are fake.

Ray's own autoscaler, version 2, decides; its groups are those of the objects of a deployment.
"""
