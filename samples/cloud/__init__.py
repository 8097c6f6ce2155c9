"""Serverless half of the platform on this machine: CDK's template, made by an emulator.

The emulator's own CloudFormation makes the stack; its API Gateway and its Lambda take the tasks.
The half on the cluster is left out by a rule; ingest and replicas run in this process instead.
"""

import cdk  # noqa: F401 - it says which node jsii starts, before anything imports aws_cdk
