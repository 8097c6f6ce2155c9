"""Bottlerocket instance that pulls images, and the scripts that SSM runs on it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.aws.sdk import Aws, AwsError, NotInTime, suppressed

_ECR = ".dkr.ecr."
_PULL_SECONDS = 3_600
_AGENT_SECONDS = 600.0  # usually one or two minutes after the start
_PAUSE = 10.0
_ENDED = frozenset({"Success", "Cancelled", "TimedOut", "Failed", "Cancelling"})
_NOT_YET = frozenset({"InvalidInstanceId", "InvocationDoesNotExist"})
# SSM's agent runs in Bottlerocket's control container, which has a shell. The host has none: each
# call of `sheltie` runs one program there.
_HOST = "apiclient exec admin sheltie"
_CTR = f"{_HOST} ctr --address /run/containerd/containerd.sock --namespace k8s.io"
_PROVIDER = "/usr/libexec/kubernetes/kubelet/plugins/ecr-credential-provider"
PREPARE = f"""\
tries=0
until apiclient exec admin true; do
  tries=$((tries + 1)); [ "$tries" -lt 60 ] || exit 9; sleep 5
done
{_HOST} systemctl stop kubelet || exit 8
old=$({_CTR} images ls -q)
[ -z "$old" ] || {_CTR} images rm $old
"""
# Shell of POSIX and no jq: what is before the password is cut off, then its quote and the rest.
# Kubelet's credential provider gets the registry's password with the instance's role, so that it
# is in no command that SSM keeps, and in no log.
_PASSWORD = f"""\
got=$(printf %s '{{ask}}' | {_HOST} {_PROVIDER}) || exit 3
password=${{{{got#*'"password":"'}}}}
[ "$password" != "$got" ] || exit 4
set -- --user "AWS:${{{{password%%'"'*}}}}"
"""
# The label by which CRI marks the images that it has pulled itself.
_PULL = f"""\
set --
{{sign_in}}{_CTR} images pull --label io.cri-containerd.image=managed "$@" '{{image}}' > /dev/null
"""


def pull_script(image: str) -> str:
    """Return the script that pulls an image; for ECR it signs in first."""
    ask = {
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderRequest",
    }
    sign_in = _PASSWORD.format(ask=json.dumps({**ask, "image": image})) if _ECR in image else ""
    return _PULL.format(sign_in=sign_in, image=image)


@dataclass(frozen=True)
class BuilderInstance:
    """Bottlerocket instance that SSM runs scripts on."""

    aws: Aws
    instance: str

    def run(self, script: str) -> None:
        """Run a script in the container of SSM's agent.

        Raises:
            AwsError: it failed.
            NotInTime: it did not end within an hour, or the agent did not come up within 10 min.
        """
        deadline = time.monotonic() + _PULL_SECONDS
        command = self._send(script)
        while (invocation := self._state(command))["Status"] not in _ENDED:
            if time.monotonic() > deadline:
                raise NotInTime(f"{self.instance} did not end in time")
            time.sleep(_PAUSE)
        if invocation["Status"] != "Success":
            output = (
                invocation.get("StandardErrorContent")
                or invocation.get("StandardOutputContent")
                or ""
            )[-500:]
            raise AwsError(f"{self.instance}: {invocation['StatusDetails']}: {output.strip()}")

    def _send(self, script: str) -> str:
        """Send a script.

        Return the id of SSM's command. SSM accepts it once the instance's agent is up.
        """
        ssm = self.aws.client("ssm")
        deadline = time.monotonic() + _AGENT_SECONDS
        while True:
            with suppressed(*_NOT_YET):
                sent = ssm.send_command(
                    InstanceIds=[self.instance],
                    DocumentName="AWS-RunShellScript",
                    Parameters={"commands": [script], "executionTimeout": [str(_PULL_SECONDS)]},
                )
                return str(sent["Command"]["CommandId"])
            if time.monotonic() > deadline:
                raise NotInTime(
                    f"{self.instance}: SSM's agent never came; has its subnet a way out?"
                    " Name another with --subnet"
                )
            time.sleep(_PAUSE)

    def _state(self, command: str) -> Mapping[str, Any]:
        # For a moment after `send_command` SSM does not know its own command.
        with suppressed(*_NOT_YET):
            invocation: Mapping[str, Any] = self.aws.client("ssm").get_command_invocation(
                CommandId=command, InstanceId=self.instance
            )
            return invocation
        return {"Status": "Pending"}
