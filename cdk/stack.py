"""The platform as one CloudFormation stack: constructs put together, and what each may do."""

from aws_cdk import Environment, Stack
from constructs import Construct
from typing_extensions import override

from models.settings import Settings


class Platform(Stack):
    """All of an installation."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        aws = settings.aws
        env = Environment(account=None if aws.is_local else aws.account, region=aws.region)
        super().__init__(scope, name, env=env)
        self.settings = settings

    @property
    @override
    def availability_zones(self) -> list[str]:
        """As the settings say: asking AWS would need credentials to synthesize."""
        return [f"{self.settings.aws.region}{zone}" for zone in self.settings.vpc.zones]
