"""Types of single settings: numbers with bounds, texts of a form."""

import re
from base64 import b64decode
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from models import name_patterns

_HOST = re.compile(r"([\w.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
_LAST_PORT = 65_535


def _signing(given: SecretStr) -> SecretStr:
    """Require a secret of Standard Webhooks: ``whsec_`` and 24 to 64 bytes in base64."""
    kind, _, text = given.get_secret_value().partition("_")
    try:
        size = len(b64decode(text, validate=True))
    except ValueError:
        size = 0
    if kind != "whsec" or not 24 <= size <= 64:  # noqa: PLR2004 - the standard's own numbers
        raise ValueError("must be whsec_ and 24 to 64 random bytes in base64")
    return given


def _host(given: str) -> str:
    """Require a name, an IPv4 address or an IPv6 address in brackets, and perhaps a port."""
    if not _HOST.fullmatch(given):
        raise ValueError("must be name or name:port, without a scheme or a path")
    # Behind the bracket, if there is one: an IPv6 address has colons of its own.
    _, colon, port = given.rpartition("]")[2].partition(":")
    if colon and not 1 <= int(port) <= _LAST_PORT:
        raise ValueError(f"its port must be 1 to {_LAST_PORT}")
    return given


Positive = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Amount of a resource of Ray's."""
IngestReplicas = Annotated[int, Field(ge=1, le=64)]
Cores = Annotated[float, Field(ge=0.1)]
Duration = Annotated[str, Field(pattern=r"^([0-9]+(s|m|h))+$|^Never$")]
"""Duration in Karpenter's form: ``300s``, ``1h30m``, ``Never``."""
Arn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:[a-z0-9-]+:.+")]
KeyArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:kms:[^:]+:\d+:key/")]
Cidr = IPv4Network
Host = Annotated[str, AfterValidator(_host)]
"""Host as ``name`` or ``name:port``; an IPv6 address stands in brackets."""
RetrySeconds = Annotated[int, Field(ge=0, le=43_000)]
"""Seconds before a call is repeated; SQS hides a message for 12 hours at most, from its receipt."""
CallbackSecret = Annotated[SecretStr, AfterValidator(_signing)]
Network = IPv4Network | IPv6Network
"""IP network, such as ``10.0.0.0/16``; a single address is a network, too."""
RuntimeName = Annotated[
    str,
    Field(pattern=f"^{name_patterns.RUNTIME}$", max_length=name_patterns.LONGEST_RUNTIME),
    AfterValidator(str.lower),
]
