"""The steps of a deployment after its configuration.

Each looks at what is there first: after a failure, the same command goes on where it stopped.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex

import typer
from botocore.exceptions import ClientError

from atelier import Misused
from cli.aws.deploy import preflight
from cli.aws.deploy.checks.account import bootstrapped, make_spot_role
from cli.aws.deploy.checks.weights import SAMPLE_MODELS
from cli.aws.deploy.cluster_secret import give_keys
from cli.aws.deploy.configuration import Wish, draft
from cli.aws.deploy.images import Images
from cli.aws.deploy.options import Steps
from cli.aws.deploy.ray_cluster_patcher import Carrier
from cli.aws.deploy.readiness import Readiness
from cli.aws.deploy.upload import uploaded
from cli.aws.errors import NOT_ALLOWED, AwsError, Missing, code_of
from cli.aws.installation import Place
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.model_bucket import ModelBucket, model_bucket
from cli.aws.proof.command import bucket_of, keep, run
from cli.aws.proof.listener import inbox
from cli.aws.proof.samples import proof
from cli.aws.proof.senders import Topic, door
from cli.aws.proof.verdict import Judge
from cli.aws.snapshot.recipe import Recipe
from cli.aws.snapshot.steps import snapshot_of
from cli.aws.stack import Stack
from cli.aws.tools import NPM, Tools


@dataclass
class Deployment:
    """The steps, in their order."""

    place: Place
    steps: Steps
    tools: Tools
    bases: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        self._fetch_tools()
        self._look()
        there = self._weights()
        self._roles()
        # Before the stack: KubeRay gives up on a service whose images take too long to come.
        self._images()
        if self.steps.with_snapshot:
            self._snapshot()
        stack = self._stack()
        if not there:
            self._weights()
        self._keys()
        self._carry()
        self._ready()
        self._tell(stack)
        if not self.steps.skip_proof:
            self._prove(stack)

    def _fetch_tools(self) -> None:
        if self.steps.skip_tools or self.tools.version("cdk") == self.tools.pinned_cdk:
            return
        self.place.out.note(f"fetching the pinned CDK, {self.tools.pinned_cdk}")
        self.tools.run(NPM, "ci", "--no-audit", "--no-fund")

    def _look(self) -> None:
        """Everything that is missing, at once; and nothing is made until it is there."""
        place = self.place
        given = (self.tools, self.bases, self.steps.models, self.steps.with_snapshot)
        findings = preflight.Preflight(place.aws, place.settings, *given)()
        if not place.as_json:
            preflight.show(place.out, findings)
        preflight.demand(findings)
        self._cdk("synth", "--quiet")  # what the settings ask for and cannot be had ends here
        question = f"Deploy {place.stack.name} to {place.aws.region}, account"
        question += f" {place.aws.caller.account}? It costs money until it is destroyed."
        if not self.steps.yes and not typer.confirm(question, err=True):
            raise Misused("nothing was deployed")

    def _weights(self) -> bool:
        """Whether there is a bucket for them; one that the stack makes comes with it."""
        place = self.place
        bucket = model_bucket(place.aws, place.settings)
        of_stack = place.settings.storage.create_model_bucket
        missing = bucket is None or not bucket.exists()
        if bucket is None or (missing and of_stack):
            return False
        if missing or (not of_stack and bucket.half_made()):
            place.out.note(f"making bucket {bucket.name}")
            bucket.make()
        if of_stack:
            bucket.hand_over()
        self._tell_events(bucket)
        if self.steps.models is not None:
            uploaded(place.out, bucket, self.steps.models)
        elif bucket.gets(SAMPLE_MODELS, of_stack=of_stack):
            uploaded(place.out, bucket, SAMPLE_MODELS)
        return True

    def _tell_events(self, bucket: ModelBucket) -> None:
        """Somebody else's bucket may forbid it; pictures are made without."""
        note = self.place.out.note
        try:
            if bucket.tell_events():
                note(f"bucket {bucket.name} now tells EventBridge what changes in it")
        except ClientError as exc:
            if code_of(exc) not in NOT_ALLOWED:
                raise
            note(f"bucket {bucket.name} may not be told to tell EventBridge what changes in it")

    def _roles(self) -> None:
        make_spot_role(self.place.aws)
        if bootstrapped(self.place.aws) is None:
            there = self.place.settings.aws
            self._cdk("bootstrap", f"aws://{there.account}/{there.region}")

    def _images(self) -> None:
        place = self.place
        Images(place.aws, place.settings, self.tools, self.bases).push(place.out.note)

    def _snapshot(self) -> None:
        place = self.place
        made = snapshot_of(place.aws, Recipe.of(place.settings), place.out.note)
        change = draft(place.path, Wish.of_snapshot(place.settings, made))
        if change.differs:
            change.write()
        self.place = replace(place)  # what it knows of the file is out of date

    def _stack(self) -> Stack:
        """Where it has begun it goes on; a whole one comes back from a change that fails.

        What stayed of an earlier one is taken in; that nobody else's would be, the preflight saw.
        """
        place = self.place
        name = place.stack.name
        options = ["--require-approval", "never", "--import-existing-resources"]
        options += ["--no-rollback"] if place.stack.is_begun else []
        options += ["--yes"] if self.steps.yes else []
        self._cdk("deploy", name, *options)
        made = Stack(place.aws, name)
        if not made.is_whole:
            raise AwsError(f"stack {name} is {made.status}")
        return made

    def _cdk(self, *args: str) -> None:
        self.tools.cdk(*args, config=self.place.path)

    def _keys(self) -> None:
        place = self.place
        try:
            anew = give_keys(Cluster(place.aws, place.settings.stack_name), place.settings)
        except AwsError as exc:
            place.out.note(
                f"API keys are not in the cluster: {exc}; run this from where it answers"
            )
        else:
            place.out.note("the cluster has the file's API keys")
            if anew:
                place.out.note(f"pods that had others start anew: {', '.join(anew)}")

    def _carry(self) -> None:
        """Bring a running Ray cluster what it does not get by itself; one may be missing."""
        place = self.place
        cluster = Cluster(place.aws, place.settings.stack_name)
        try:
            Carrier(cluster, place.settings, place.out.note).carry()
        except Missing:
            return
        except AwsError as exc:
            place.out.note(
                "a running Ray cluster may not have the file's nodes.maxGpus, nodes.taints and"
                f" rayCluster.ingestWorkers: {exc}; put that right, and run this again"
            )

    def _ready(self) -> None:
        place = self.place
        Readiness(place.aws, place.settings, place.out.note).wait()

    def _tell(self, stack: Stack) -> None:
        out = self.place.out
        if out.as_json:
            out.json({"stack": stack.name, "outputs": stack.outputs})
        else:
            out.pairs(stack.outputs)

    def _prove(self, stack: Stack) -> None:
        """One real picture, by the way that this installation has."""
        place = self.place
        way = door(stack, place.settings)
        told = "SNS" if isinstance(way, Topic) else "API Gateway"
        place.out.note(f"one picture by {told}; the first waits for a GPU node, minutes")
        order = proof(place.settings.models_runtime[0], f"proof-{token_hex(3)}")
        judge = Judge(place.aws, bucket_of(stack))
        with inbox(place.aws, place.settings) as ear:
            verdict = run(way, ear, judge, order, self.steps.timeout)
        if not verdict.right:
            raise AwsError(
                f"deployed, but no picture came: {'; '.join(verdict.wrong)};"
                " see `atelier aws status` and docs/operations.md"
            )
        (path, *_) = keep(judge, verdict, Path())
        if place.as_json:
            place.out.json({"picture": str(path)})
        else:
            place.out.line(str(path))
