"""Platform as one CloudFormation stack: composes the constructs, and grants their rights.

What works without the cluster (storage, messages, the edge) refers to nothing of the cluster.
"""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import CfnOutput, Environment, Stack, Tags
from aws_cdk.aws_iam import IRole
from constructs import Construct
from typing_extensions import override

from cdk.addons import APPLICATION
from cdk.browser_entry import BrowserEntry
from cdk.bundle import bundle
from cdk.cluster import Cluster
from cdk.edge import Edge
from cdk.karpenter import Karpenter
from cdk.messaging import Messaging
from cdk.monitoring import Monitoring
from cdk.network import Network
from cdk.ray_service import RayService
from cdk.registry import Registry
from cdk.storage import Storage
from models.names import images
from models.names.tags import PROJECT
from models.settings import Settings


class Platform(Stack):
    """Stack of one installation, with all its parts."""

    def __init__(
        self, scope: Construct, name: str, *, settings: Settings, edge_code: Path | None = None
    ) -> None:
        """Compose the stack; ``edge_code``, the zip of the edge's function, is built if missing."""
        aws = settings.aws
        # An emulator's zeros are no account; without one the template is for whichever it meets.
        env = Environment(account=None if aws.is_local else aws.account, region=aws.region)
        super().__init__(scope, name, env=env, description=f"atelier: {settings.stack_name}")
        self.settings = settings
        self.storage = Storage(self, "Storage", settings=settings)
        self.messaging = Messaging(self, "Messaging", settings=settings)
        self.edge = self._edge(edge_code) if settings.edge.enabled else None
        self.registry = self._registry()
        self.network = self._network()
        self.cluster = Cluster(self, "Cluster", settings=settings, network=self.network)
        self.storage.grant_checkpoint_reads(self.cluster.addons.mount.role)
        self.karpenter = Karpenter(self, "Karpenter", settings=settings, cluster=self.cluster)
        self.ray = self._ray()
        self.browser_entry = self._browser_entry() if settings.front.enabled else None
        self.monitoring = self._monitoring()
        Tags.of(self).add(PROJECT, settings.stack_name)
        for output, value in self._outputs().items():
            CfnOutput(self, output, value=value)

    @property
    @override
    def availability_zones(self) -> list[str]:
        """Zones that the settings name: asking AWS would need credentials to synthesize."""
        return [f"{self.settings.aws.region}{zone}" for zone in self.settings.vpc.zones]

    def _edge(self, code: Path | None) -> Edge:
        code = code or bundle(self.settings)
        edge = Edge(self, "Gateway", settings=self.settings, code=code)
        self._grant_http_api(edge.role)
        return edge

    def _registry(self) -> Registry:
        settings = self.settings
        names = [images.repository(settings.names, kind) for kind in images.kinds(settings)]
        return Registry(self, "Registry", repositories=names, keep=settings.images.keep)

    def _network(self) -> Network:
        return Network(
            self,
            "Network",
            vpc=self.settings.vpc,
            zones=self.availability_zones,
            cluster_name=self.settings.stack_name,
        )

    def _ray(self) -> RayService:
        ray = RayService(
            self,
            "Ray",
            settings=self.settings,
            cluster=self.cluster,
            karpenter=self.karpenter,
        )
        self._grant_http_api(ray.ingest.role)
        self.messaging.grant_message_consumption(ray.ingest.role)
        self.storage.grant_payload_reads_and_report_writes(ray.ingest.role)
        self.storage.grant_input_reads_and_artifact_writes(ray.runtimes.role)
        return ray

    def _grant_http_api(self, grantee: IRole) -> None:
        """Grant what the HTTP API needs, on Ray and at the edge alike."""
        self.messaging.grant_task_publishing(grantee)
        self.messaging.grant_notification_publishing(grantee)  # of tasks that it cancels
        self.messaging.grant_backlog_reads(grantee)
        self.messaging.grant_dead_letter_work(grantee)
        self.storage.grant_payload_writes(grantee)
        self.storage.grant_artifact_reads(grantee)
        self.storage.grant_ledger_access(grantee)

    def _browser_entry(self) -> BrowserEntry:
        return BrowserEntry(
            self,
            "Front",
            settings=self.settings,
            cluster=self.cluster,
            namespace=self.ray.namespace,
            logs=self.storage.logs,
        )

    def _monitoring(self) -> Monitoring:
        return Monitoring(
            self,
            "Monitoring",
            settings=self.settings,
            messaging=self.messaging,
            log=self.cluster.addons.logs[APPLICATION],
            spot_warnings=self.karpenter.rules["SpotInterruption"],
            api=self.edge.api if self.edge else None,
        )

    def _outputs(self) -> Mapping[str, str]:
        """Return the outputs by the reference system's names.

        Where its guide and its code spell a name differently, both stand.
        """
        tasks, results = self.messaging.tasks.topic_arn, self.messaging.results.topic_arn
        cluster, region = self.settings.stack_name, self.region
        cluster_arguments = f"--region {region} --name {cluster}"
        outputs = {
            "OutputS3Bucket": self.storage.outputs.bucket_arn,
            "sdNotificationLambdaARN": tasks,
            "sdNotificationLambdaArn": tasks,
            "sdNotificationOutputARN": results,
            "sdNotificationOutputArn": results,
            "ClusterName": cluster,
            "ConfigCommand": f"aws eks update-kubeconfig {cluster_arguments}",
            "GetTokenCommand": f"aws eks get-token --region {region} --cluster-name {cluster}",
            "LedgerTable": self.storage.ledger.table_name,
            "AlarmsTopicArn": self.monitoring.topic.topic_arn,
        }
        if self.browser_entry is not None:
            outputs |= {
                "cloudFrontEntryUrl": self.browser_entry.url,
                "cloudFrontEntryId": self.browser_entry.distribution.distribution_id,
                "eksIngressName": self.browser_entry.balancer.load_balancer_dns_name,
            }
            if self.browser_entry.cognito is not None:
                outputs["UserPoolId"] = self.browser_entry.cognito.pool.user_pool_id
        return outputs
