"""The cluster of an installation, asked over its API; nothing needs to be installed for that.

A token is a request to STS, signed and not sent: the cluster sends it, and STS says who signed it.
"""

import json
import ssl
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.signers import RequestSigner

from cli.aws.errors import Away, AwsError, Conflict, Missing, NotDeployed, code_of, translated
from cli.aws.sdk import Aws

TOKEN_SECONDS = 900
"""What the cluster takes; a token signed for longer is refused."""
_SIGNED_SECONDS = 60
_SECONDS = 15
_REFUSED = 400
_SHOWN = 500
_PATCH_FAILED = "the server rejected our request due to an error in our request"
"""Message to a JSON patch of which an operation fails, with status 422 and reason `Invalid`.

A schema or an admission policy refuses with the same status and reason, and names the object.
Source: github.com/kubernetes/apiserver, `applyJSPatch` in pkg/endpoints/handlers/patch.go, and
github.com/kubernetes/apimachinery, `NewGenericServerResponse` in pkg/api/errors/errors.go; read on
2026-11-30.
"""


@dataclass(frozen=True)
class Cluster:
    """One EKS cluster."""

    aws: Aws
    name: str

    @cached_property
    def known(self) -> Mapping[str, Any]:
        """What EKS says of it.

        Raises:
            NotDeployed: there is none.
        """
        with translated():
            try:
                got = self.aws.client("eks").describe_cluster(name=self.name)
            except ClientError as exc:
                if code_of(exc) == "ResourceNotFoundException":
                    raise NotDeployed(f"there is no cluster {self.name}") from None
                raise
        known: Mapping[str, Any] = got["cluster"]
        return known

    @property
    def endpoint(self) -> str:
        return str(self.known["endpoint"])

    @property
    def authority(self) -> str:
        """Its certificate authority, in base64."""
        return str(self.known["certificateAuthority"]["data"])

    def get(self, path: str) -> Mapping[str, Any]:
        """What its API has at this path.

        Raises:
            Away: it does not answer; it may be open to its own network only.
            Missing: there is nothing.
            AwsError: it refuses.
        """
        return self._ask("GET", path)

    def apply(self, path: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make an object as wanted, or bring it there; what others set in it stays. As it is then.

        Raises:
            Away: it does not answer; it may be open to its own network only.
            AwsError: it refuses.
        """
        query = "?fieldManager=atelier&force=true"
        body, kind = json.dumps(wanted), "application/apply-patch+yaml"
        return self._ask("PATCH", f"{path}{query}", body, kind)

    def patch(self, path: str, operations: Sequence[Mapping[str, Any]]) -> None:
        """Make all these operations of a JSON patch, or none of them.

        Raises:
            Conflict: what an operation tests is not so, or a change came between.
            Away: it does not answer; it may be open to its own network only.
            AwsError: it refuses.
        """
        body = json.dumps(operations)
        self._ask("PATCH", f"{path}?fieldManager=atelier", body, "application/json-patch+json")

    def delete(self, path: str) -> None:
        """Ask for the end of what is there; it may take its time, and may be gone already.

        Raises:
            Away: it does not answer; it may be open to its own network only.
            AwsError: it refuses.
        """
        with suppress(Missing):
            self._ask("DELETE", path)

    def _ask(
        self, method: str, path: str, body: str | None = None, kind: str = "application/json"
    ) -> Mapping[str, Any]:
        """Return the object that it answers with."""
        answer = self._answer(method, path, body, kind)
        told = f"cluster {self.name} answers {answer.status_code} to {method} {path}"
        said = _object(answer)
        if answer.status_code >= _REFUSED:
            raise _refusal(answer.status_code, told, str((said or {}).get("message") or ""))
        if said is None:
            raise AwsError(f"{told}, and with no object")
        return said

    def _answer(self, method: str, path: str, body: str | None, kind: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token(self.aws, self.name)}", "Content-Type": kind}
        authority = ssl.create_default_context(cadata=b64decode(self.authority).decode())
        # Python 3.13 and later want key identifiers, which EKS's certificates do not have.
        authority.verify_flags &= ~ssl.VERIFY_X509_STRICT
        try:
            return httpx.request(
                method,
                f"{self.endpoint}{path}",
                content=body,
                headers=headers,
                verify=authority,
                timeout=_SECONDS,
            )
        except httpx.HTTPError as exc:
            raise Away(
                f"cluster {self.name} does not answer here ({type(exc).__name__});"
                " see cluster.publicAccessCidrs"
            ) from exc


def _object(answer: httpx.Response) -> Mapping[str, Any] | None:
    """Return what was answered; None, where it is no object, and so not of Kubernetes."""
    try:
        said = answer.json()
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _refusal(status: int, told: str, message: str) -> AwsError:
    said = f"{told}: {message[:_SHOWN]}" if message else told
    match status:
        case 401 | 403:
            return AwsError(f"{said}; is your role in cluster.admins, and was it deployed since?")
        case 404:
            return Missing(said)
        case 409:
            return Conflict(said)
        case 422 if message.startswith(_PATCH_FAILED):
            return Conflict(said)
        case _:
            return AwsError(said)


def token(aws: Aws, cluster: str) -> str:
    """Says to this cluster who is signed in; good for a quarter of an hour."""
    client = aws.client("sts")
    credentials = aws.session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    signer = RequestSigner(
        client.meta.service_model.service_id,
        client.meta.region_name,
        "sts",
        "v4",
        credentials,
        aws.session.events,
    )
    endpoint = client.meta.endpoint_url.rstrip("/")
    request = {
        "method": "GET",
        "url": f"{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(
        request, region_name=client.meta.region_name, expires_in=_SIGNED_SECONDS, operation_name=""
    )
    return "k8s-aws-v1." + urlsafe_b64encode(url.encode()).decode().rstrip("=")
