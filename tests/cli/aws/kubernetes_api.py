"""Kubernetes API on loopback, over TLS: it answers what it is given, and keeps what was asked.

A JSON patch changes what it answers, as far as the custom resource's definition lets it.
"""

import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import jsonpatch
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.loopback import serving
from tests.manifests import crds

_JSON_PATCH = "application/json-patch+json"


@dataclass
class Asked:
    method: str
    path: str
    authorization: str
    body: bytes


@dataclass
class KubeApi:
    url: str
    authority: str
    """Certificate of its authority, in base64."""
    answers: dict[str, Any] = field(default_factory=dict)
    """Answers by path."""
    refusal: int = 404
    """Status of all other answers."""
    denial: str = ""
    """Message of an admission policy, with which it denies each change."""
    asked: list[Asked] = field(default_factory=list)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    """Actions of other clients, one before each request that is answered from now on."""

    def answer(self, asked: Asked, kind: str) -> tuple[int, Any]:
        self.asked.append(asked)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        path = asked.path.partition("?")[0]
        if path not in self.answers:
            return self.refusal, {"kind": "Status"}
        if kind == _JSON_PATCH and (why := self._refused(path, asked.body)):
            return 422, {"kind": "Status", "reason": "Invalid", "message": why}
        return 200, self.answers[path]

    def _refused(self, path: str, body: bytes) -> str:
        """Make all of a patch, or nothing, and say why: as the API server, and in that order."""
        try:
            made = jsonpatch.apply_patch(self.answers[path], body.decode())
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
            return "the server rejected our request due to an error in our request"
        wrong = crds.mistakes(made) if crds.FOLDER.is_dir() else []
        if wrong:
            return f"{made['kind']} is invalid: {', '.join(wrong)}"
        if not self.denial:
            self.answers[path] = made
        return self.denial


@contextmanager
def kube_api(folder: Path) -> Iterator[KubeApi]:
    authority, own = _authority()
    pem = folder / "kube.pem"
    pem.write_bytes(own)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    api = KubeApi(f"https://127.0.0.1:{server.server_port}", b64encode(authority).decode())
    server.api = api  # type: ignore[attr-defined]
    with serving(server):
        yield api


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        api: KubeApi = self.server.api  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        authorization = self.headers.get("authorization", "")
        asked = Asked(self.command, self.path, authorization, body)
        status, answer = api.answer(asked, self.headers.get("content-type", ""))
        said = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's own names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library has it
        pass


def _authority() -> tuple[bytes, bytes]:
    """Make an authority, and the API's certificate and key; like EKS's, without key identifiers."""
    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    whole = x509.BasicConstraints(ca=True, path_length=None)
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    above = _named("kubernetes", root).add_extension(whole, critical=True)
    below = _named("kube-apiserver", own).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    key = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    signed = below.sign(root, hashes.SHA256()).public_bytes(pem)
    return above.sign(root, hashes.SHA256()).public_bytes(pem), signed + key


def _named(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """Make a certificate for an hour, signed by the authority."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
    )
