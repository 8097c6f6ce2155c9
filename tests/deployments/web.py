"""A small real web on loopback: sites, names that resolve to them, a certificate authority."""

import asyncio
import datetime as dt
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def answer(body: bytes = b"", status: str = "200 OK", **headers: Any) -> bytes:
    fields = {"Content-Length": len(body)} | {k.replace("_", "-"): v for k, v in headers.items()}
    head = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def moved(to: str, status: str = "302 Found") -> bytes:
    return answer(status=status, Location=to)


@dataclass
class Site:
    """A web server on loopback: each path has its answers, the last one again and again."""

    pages: dict[str, list[bytes | float]] = field(default_factory=dict)
    """Bytes to send; a number is a pause in seconds before the rest."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The address and the Host header of each request."""
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    default: bytes = b""
    """Answer of a path that was not given one."""
    port: int = 0
    serving: set[asyncio.Task[Any] | None] = field(default_factory=set)

    def url(self, path: str = "/a.png", *, host: str = "site.test", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.add(asyncio.current_task())
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                self.note(head, writer)
                await self.send(head.split(" ")[1], writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def note(self, head: str, writer: asyncio.StreamWriter) -> None:
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        self.asked.append((writer.get_extra_info("sockname")[0], lines["Host"]))
        self.heads.append(head)

    async def send(self, path: str, writer: asyncio.StreamWriter) -> None:
        pages = self.pages.get(path.partition("?")[0], [self.default])
        page = pages.pop(0) if len(pages) > 1 else pages[0]
        for part in page if isinstance(page, list) else [page]:
            if isinstance(part, float):
                await asyncio.sleep(part)
            else:
                writer.write(part)
                await writer.drain()


@asynccontextmanager
async def serving(
    default: bytes, *, tls: ssl.SSLContext | None = None, **pages: Any
) -> AsyncIterator[Site]:
    site = Site(default=default, pages={f"/{name}": page for name, page in pages.items()})
    server = await asyncio.start_server(site.serve, "0.0.0.0", ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in filter(None, site.serving):
            task.cancel()


class Names:
    """A resolver with its own phone book: a name's addresses, one lookup after the other."""

    def __init__(self, **book: Sequence[str]) -> None:
        self.book = book
        self.asked = Counter[str]()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        del port
        answers = self.book.get(host.partition(".")[0], ["127.0.0.1"])
        self.asked[host] += 1
        return [answers[min(self.asked[host], len(answers)) - 1]]


@dataclass(frozen=True)
class Authority:
    """A certificate authority that nobody but the test trusts."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def made(cls, folder: Path) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("authority", key, "authority", key, ca=True)
        (folder / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        return cls(folder, key, certificate)

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    def server(self, name: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, "authority", self.key, ca=False)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file = self.folder / f"{name}.pem"
        file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    signers = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(signers, critical=False)
    )
    return builder.sign(signer, hashes.SHA256())
