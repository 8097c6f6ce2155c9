"""Steps of a deployment after its configuration.

Each step looks at what is there first: after a failure, the same command resumes.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex

import typer
from botocore.exceptions import ClientError

from atelier import Misused
from cli.aws.deploy import preflight
from cli.aws.deploy.checks.account import bootstrap_version, make_spot_role
from cli.aws.deploy.checks.weights import SAMPLE_MODELS
from cli.aws.deploy.cluster_secret import apply_keys
from cli.aws.deploy.configuration import RequestedSettings, draft
from cli.aws.deploy.images import Images
from cli.aws.deploy.options import StepOptions
from cli.aws.deploy.ray_cluster_patcher import RayClusterPatcher
from cli.aws.deploy.readiness import Readiness
from cli.aws.deploy.upload import upload_folder
from cli.aws.installation import Installation
from cli.aws.model_bucket import ModelBucket, model_bucket
from cli.aws.proof.command import bucket_of, prove, save_pictures
from cli.aws.proof.listener import listening
from cli.aws.proof.samples import proof_task
from cli.aws.proof.senders import TopicSender, sender_of
from cli.aws.proof.verdict import ResultChecker
from cli.aws.sdk import NOT_ALLOWED, AwsError, ObjectMissing, code_of
from cli.aws.snapshot.recipe import Recipe
from cli.aws.snapshot.steps import make_snapshot
from cli.aws.stack import Stack
from cli.aws.tools import NPM, Tools


@dataclass
class Deployment:
    """Deployment of an installation; `run` takes its steps in order."""

    installation: Installation
    options: StepOptions
    tools: Tools
    bases: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        self._fetch_tools()
        self._run_preflight()
        has_bucket = self._fill_bucket()
        self._prepare_account()
        # Before the stack: KubeRay gives up on a service whose images are pulled too late.
        self._push_images()
        if self.options.with_snapshot:
            self._make_snapshot()
        stack = self._deploy_stack()
        # A bucket of the stack's own is there only now.
        if not has_bucket:
            self._fill_bucket()
        # The Secret is optional to pods: those that are up already are restarted to read it.
        self._apply_keys()
        self._patch_ray_clusters()
        self._await_readiness()
        self._print_outputs(stack)
        if not self.options.skip_proof:
            self._prove(stack)

    def _fetch_tools(self) -> None:
        if self.options.skip_tools or self.tools.version("cdk") == self.tools.pinned_cdk:
            return
        self.installation.out.note(f"fetching the pinned CDK, {self.tools.pinned_cdk}")
        self.tools.run(NPM, "ci", "--no-audit", "--no-fund")

    def _run_preflight(self) -> None:
        """Run the preflight checks and `cdk synth`, then ask; nothing is made before."""
        installation = self.installation
        given = (self.tools, self.bases, self.options.models, self.options.with_snapshot)
        findings = preflight.Preflight(installation.aws, installation.settings, *given)()
        if not installation.as_json:
            preflight.print_findings(installation.out, findings)
        preflight.require_all(findings)
        self._cdk("synth", "--quiet")  # raises if the settings ask for the impossible
        question = (
            f"Deploy {installation.stack.name} to {installation.aws.region}, account"
            f" {installation.aws.caller.account}? It costs money until it is destroyed."
        )
        if not self.options.yes and not typer.confirm(question, err=True):
            raise Misused("nothing was deployed")

    def _fill_bucket(self) -> bool:
        """Fill the model bucket, and make it unless the stack does.

        Return False if the stack is still to make it.
        """
        installation = self.installation
        bucket = model_bucket(installation.aws, installation.settings)
        of_stack = installation.settings.storage.create_model_bucket
        missing = bucket is None or not bucket.exists()
        if bucket is None or (missing and of_stack):
            return False
        if missing or (not of_stack and bucket.is_half_made()):
            installation.out.note(f"making bucket {bucket.name}")
            bucket.make()
        if of_stack:
            bucket.delete_policy()
        self._enable_events(bucket)
        if self.options.models is not None:
            upload_folder(installation.out, bucket, self.options.models)
        elif bucket.wants_samples(SAMPLE_MODELS, of_stack=of_stack):
            upload_folder(installation.out, bucket, SAMPLE_MODELS)
        return True

    def _enable_events(self, bucket: ModelBucket) -> None:
        """Turn on the bucket's events; somebody else's bucket may forbid it, and works without."""
        note = self.installation.out.note
        try:
            if bucket.enable_events():
                note(f"bucket {bucket.name} now tells EventBridge what changes in it")
        except ClientError as exc:
            if code_of(exc) not in NOT_ALLOWED:
                raise
            note(f"bucket {bucket.name} may not be told to tell EventBridge what changes in it")

    def _prepare_account(self) -> None:
        make_spot_role(self.installation.aws)
        if bootstrap_version(self.installation.aws) is None:
            target = self.installation.settings.aws
            self._cdk("bootstrap", f"aws://{target.account}/{target.region}")

    def _push_images(self) -> None:
        installation = self.installation
        Images(installation.aws, installation.settings, self.tools, self.bases).push(
            installation.out.note
        )

    def _make_snapshot(self) -> None:
        installation = self.installation
        snapshot = make_snapshot(
            installation.aws, Recipe.of(installation.settings), installation.out.note
        )
        change = draft(
            installation.path, RequestedSettings.of_snapshot(installation.settings, snapshot)
        )
        if change.differs:
            change.write()
        self.installation = replace(installation)  # a copy reads the file again

    def _deploy_stack(self) -> Stack:
        """Deploy the stack: resume a half-made one, let a whole one roll back if the change fails.

        Resources that an earlier stack left are imported; the preflight has made sure that they are
        ours.
        """
        installation = self.installation
        name = installation.stack.name
        options = [
            # The CDK's question needs a terminal; ours has been answered.
            "--require-approval",
            "never",
            "--import-existing-resources",
            *(["--no-rollback"] if installation.stack.is_begun else []),
        ]
        options += ["--yes"] if self.options.yes else []
        self._cdk("deploy", name, *options)
        stack = Stack(installation.aws, name)
        if not stack.is_whole:
            raise AwsError(f"stack {name} is {stack.status}")
        return stack

    def _cdk(self, *args: str) -> None:
        self.tools.cdk(*args, config=self.installation.path)

    def _apply_keys(self) -> None:
        installation = self.installation
        try:
            restarted = apply_keys(installation.cluster, installation.settings)
        except AwsError as exc:
            installation.out.note(
                f"API keys are not in the cluster: {exc}; run this from where it answers"
            )
        else:
            installation.out.note("the cluster has the file's API keys")
            if restarted:
                installation.out.note(f"pods that had others start anew: {', '.join(restarted)}")

    def _patch_ray_clusters(self) -> None:
        """Patch running Ray clusters where KubeRay does not; there may be none yet."""
        installation = self.installation
        try:
            RayClusterPatcher(
                installation.cluster, installation.settings, installation.out.note
            ).patch()
        except ObjectMissing:
            return
        except AwsError as exc:
            installation.out.note(
                "a running Ray cluster may not have the file's scaling.maxReplicas, nodes.maxGpus,"
                f" nodes.taints and rayCluster.ingestWorkers: {exc}; put that right, and run this"
                " again"
            )

    def _await_readiness(self) -> None:
        installation = self.installation
        Readiness(installation.cluster, installation.settings, installation.out.note).wait()

    def _print_outputs(self, stack: Stack) -> None:
        out = self.installation.out
        if out.as_json:
            out.json({"stack": stack.name, "outputs": stack.outputs})
        else:
            out.pairs(stack.outputs)

    def _prove(self, stack: Stack) -> None:
        """Make one real picture, through API Gateway or the tasks topic."""
        installation = self.installation
        sender = sender_of(stack, installation.settings)
        entry = "SNS" if isinstance(sender, TopicSender) else "API Gateway"
        installation.out.note(f"one picture by {entry}; the first waits for a GPU node, minutes")
        task = proof_task(installation.settings.models_runtime[0], f"proof-{token_hex(3)}")
        checker = ResultChecker(installation.aws, bucket_of(stack))
        with listening(installation.aws, installation.settings) as listener:
            verdict = prove(sender, listener, checker, task, self.options.timeout)
        if not verdict.right:
            raise AwsError(
                f"deployed, but no picture came: {'; '.join(verdict.wrong)};"
                " see `atelier aws status` and docs/operations.md"
            )
        (path, *_) = save_pictures(checker, verdict, Path())
        installation.out.answer({"picture": str(path)}, str(path))
