"""Kubernetes API of an installation's EKS cluster, called without kubectl.

A token is a presigned request to STS: the cluster sends it, and STS names the caller.
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
from botocore.exceptions import NoCredentialsError
from botocore.signers import RequestSigner

from cli.aws.sdk import (
    Aws,
    AwsError,
    Conflict,
    NotDeployed,
    NotReachable,
    ObjectMissing,
    suppressed,
    translated,
)

TOKEN_SECONDS = 900
"""Longest lifetime in seconds that EKS accepts of a token."""
_SIGNED_SECONDS = 60  # as `aws eks get-token` signs; EKS counts 15 min all the same
_SECONDS = 15
_REFUSED = 400
_SHOWN = 500
_PATCH_FAILED = "the server rejected our request due to an error in our request"
"""Message of the API server (status 422, reason `Invalid`) if an operation of a JSON patch fails.

A schema or an admission policy refuses with the same status and reason, and names the object.
Source: github.com/kubernetes/apiserver, `applyJSPatch` in pkg/endpoints/handlers/patch.go, and
github.com/kubernetes/apimachinery, `NewGenericServerResponse` in pkg/api/errors/errors.go; read on
2026-11-30.
"""


@dataclass(frozen=True)
class Cluster:
    """EKS cluster; each call opens a connection, and waits at most 15 s for it and each read."""

    aws: Aws
    name: str

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """Description of the cluster by EKS, read once.

        Raises:
            NotDeployed: there is no such cluster.
        """
        with translated(), suppressed("ResourceNotFoundException"):
            described = self.aws.client("eks").describe_cluster(name=self.name)
            description: Mapping[str, Any] = described["cluster"]
            return description
        raise NotDeployed(f"there is no cluster {self.name}")

    @property
    def endpoint(self) -> str:
        return str(self.description["endpoint"])

    @property
    def authority(self) -> str:
        """Certificate authority of the API server, in base64."""
        return str(self.description["certificateAuthority"]["data"])

    def get(self, path: str) -> Mapping[str, Any]:
        """Return the object or list at this path.

        Raises:
            NotReachable: the API does not answer; it may be open to its own network only.
            ObjectMissing: there is no such object.
            AwsError: the API refuses.
        """
        return self._request("GET", path)

    def apply(self, path: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create an object, or apply our fields to it (server-side apply); return it as it then is.

        Fields that other writers own stay, except for those that are ours now.

        Raises:
            NotReachable: the API does not answer; it may be open to its own network only.
            AwsError: the API refuses.
        """
        # force: ours, although another writer owns the field; a conflict (409) otherwise.
        query = "?fieldManager=atelier&force=true"
        body, content_type = json.dumps(wanted), "application/apply-patch+yaml"
        return self._request("PATCH", f"{path}{query}", body, content_type)

    def patch(self, path: str, operations: Sequence[Mapping[str, Any]]) -> None:
        """Apply all operations of a JSON patch, or none.

        Raises:
            Conflict: a ``test`` operation failed, or another write came between.
            NotReachable: the API does not answer; it may be open to its own network only.
            AwsError: the API refuses.
        """
        body = json.dumps(operations)
        self._request("PATCH", f"{path}?fieldManager=atelier", body, "application/json-patch+json")

    def delete(self, path: str) -> None:
        """Delete an object, and do not wait until it is gone; a missing one is no error.

        Raises:
            NotReachable: the API does not answer; it may be open to its own network only.
            AwsError: the API refuses.
        """
        with suppress(ObjectMissing):
            self._request("DELETE", path)

    def _request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        content_type: str = "application/json",
    ) -> Mapping[str, Any]:
        """Send a request; return the object of the answer."""
        answer = self._send(method, path, body, content_type)
        context = f"cluster {self.name} answers {answer.status_code} to {method} {path}"
        parsed = _parsed_object(answer)
        if answer.status_code >= _REFUSED:
            raise _refusal(answer.status_code, context, str((parsed or {}).get("message") or ""))
        if parsed is None:
            raise AwsError(f"{context}, and with no object")
        return parsed

    def _send(self, method: str, path: str, body: str | None, content_type: str) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {token(self.aws, self.name)}",
            "Content-Type": content_type,
        }
        authority = ssl.create_default_context(cadata=b64decode(self.authority).decode())
        # Python 3.13 and later require key identifiers, which EKS's certificates lack.
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
            raise NotReachable(
                f"cluster {self.name} does not answer here ({type(exc).__name__});"
                " see cluster.publicAccessCidrs"
            ) from exc


def _parsed_object(answer: httpx.Response) -> Mapping[str, Any] | None:
    """Parse a JSON object; None for anything else, which no Kubernetes API answers with."""
    try:
        parsed = answer.json()
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _refusal(status: int, context: str, message: str) -> AwsError:
    text = f"{context}: {message[:_SHOWN]}" if message else context
    match status:
        case 401 | 403:
            return AwsError(f"{text}; is your role in cluster.admins, and was it deployed since?")
        case 404:
            return ObjectMissing(text)
        case 409:
            return Conflict(text)
        case 422 if message.startswith(_PATCH_FAILED):
            return Conflict(text)
        case _:
            return AwsError(text)


def token(aws: Aws, cluster: str) -> str:
    """Make a bearer token that names the caller to this cluster; it is valid for 15 min."""
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
        # Signed along with the URL: so one cluster's token opens no other.
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(
        request, region_name=client.meta.region_name, expires_in=_SIGNED_SECONDS, operation_name=""
    )
    # EKS wants it without the padding of base64.
    return "k8s-aws-v1." + urlsafe_b64encode(url.encode()).decode().rstrip("=")
