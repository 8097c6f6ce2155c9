import cdk  # noqa: F401 - it says which node jsii starts, before any test imports aws_cdk
