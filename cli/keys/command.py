"""`atelier keys new | list | revoke`."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Annotated

import typer

from atelier import Misused
from cli.aws.installation import Installation, command
from cli.aws.keyring import TableKeyring
from cli.keys.keyring import FileKeyring, Keyring
from cli.keys.secrets import SecretRequest, id_of, new_secret, revoked, role_of, tidied, with_secret
from models.role import Role
from models.settings import api_keys
from models.settings.api_keys import ApiKey, KeySecret

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "API keys: in the file `apiKeysFile` beside config.yaml, or on AWS with --aws (or"
        " --region, --stack-name). Only digests are kept; a secret is printed once."
    ),
)


@dataclass(frozen=True, kw_only=True)
class Where:
    """Options that say where the API keys are kept."""

    aws: Annotated[
        bool, typer.Option("--aws", help="Those of an installation on AWS, not of a file.")
    ] = False

    def keyring(self, installation: Installation) -> Keyring:
        if self.aws or installation.region or installation.stack_name:
            return TableKeyring(installation)
        return FileKeyring(installation.config or Path("config.yaml"))


Name = Annotated[str, typer.Argument(help="Whose key it is: tasks belong to this name.")]


@command
def new(
    installation: Installation,
    where: Where,
    name: Name,
    role: Annotated[
        Role | None, typer.Option(help="What it may do; else as the name's others, or an artist.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="A date, a time with its zone, or days from now: 90d.")
    ] = None,
) -> None:
    """Make a secret, and print it: this once. For a name that has some, it is one more."""
    keyring = where.keyring(installation)
    _refuse_bad_name(name)
    request = SecretRequest(name=name, role=role, expires=_parse_expiry(expires))
    secret = new_secret()
    with keyring.locked():
        row = _store(keyring, request, secret)
    out = installation.out
    out.answer(row | {"secret": secret, "where": keyring.where}, secret)
    out.note(f"{row['role']} {name}, id {row['id']}, in {keyring.where}; shown only this once")
    out.note(keyring.hint)


@command
def list_(installation: Installation, where: Where) -> None:
    """List the keys, without their secrets: names, roles, ids, ends."""
    keyring = where.keyring(installation)
    now = time.time()
    rows = [
        *_rows(keyring.configured, "configuration", now),
        *_rows(keyring.read(), keyring.where, now),
    ]
    heads = ("name", "role", "id", "expires", "state", "where")
    installation.out.listing(rows, heads, itemgetter(*heads))


@command
def revoke(
    installation: Installation,
    where: Where,
    name: Name,
    secret: Annotated[
        str | None, typer.Option("--id", help="Only this secret of it, as `list` shows it.")
    ] = None,
) -> None:
    """Take a key back: all secrets of a name, or one. They are refused within seconds."""
    keyring = where.keyring(installation)
    with keyring.locked():
        now = time.time()
        keys, ended = revoked(keyring.read(), name, secret, now)
        if ended:
            keyring.write(tidied(keys, now))
    # After the store: should the gateway fail here, ingress and edge refuse the secret anyway.
    keyring.remove_gateway_keys(ended)
    if not (secret is None and keyring.disable_gateway_key(name)) and not ended:
        raise Misused(f"{name} has no such secret that is valid; `atelier keys list` shows them")
    ids = [id_of(ended_secret) for ended_secret in ended]
    out = installation.out
    out.answer({"name": name, "revoked": ids}, f"revoked {name} {' '.join(ids)}".rstrip())
    out.note(keyring.hint)
    if any(key.name == name for key in keyring.configured):
        out.note(f"the configuration has a key of {name}, too: take it out there")


app.command()(new)
app.command("list")(list_)
app.command()(revoke)


def _store(keyring: Keyring, request: SecretRequest, secret: str) -> dict[str, str]:
    """Store a secret; return its row, made first so that nothing is stored unreported."""
    keys = keyring.read()
    role = role_of(request, (*keyring.configured, *keys))
    gateway = keyring.add_gateway_key(request.name, secret)
    keys_with_it = with_secret(tidied(keys, time.time()), request, role, secret, gateway)
    try:
        row = {"name": request.name, "role": str(role), **_ids(_secret_of(keys_with_it, secret))}
        keyring.write(keys_with_it)
    except BaseException:
        # Else the gateway would let in a key that no list shows.
        keyring.remove_gateway_keys([_secret_of(keys_with_it, secret)])
        raise
    return row


def _secret_of(keys: Iterable[ApiKey], secret: str) -> KeySecret:
    """Find a secret among the keys by its digest."""
    digest = api_keys.digest_of(secret)
    return next(
        key_secret for key in keys for key_secret in key.secrets if key_secret.digest == digest
    )


def _ids(secret: KeySecret) -> dict[str, str]:
    return {"id": id_of(secret), "expires": _expiry(secret)}


def _rows(keys: Iterable[ApiKey], where: str, now: float) -> Iterable[dict[str, str]]:
    for key in keys:
        for secret in key.all_secrets:
            yield {
                "name": key.name,
                "role": str(key.role),
                **_ids(secret),
                "state": "expired" if secret.expired(now) else "valid",
                "where": where,
            }


def _expiry(secret: KeySecret) -> str:
    return secret.expires.astimezone(UTC).isoformat(timespec="seconds") if secret.expires else ""


def _parse_expiry(said: str | None) -> datetime | None:
    if said is None:
        return None
    found = _parse_moment(said)
    if found.timestamp() <= time.time():
        raise Misused(
            "--expires: must lie ahead; a date is its first moment in UTC: take a later one, or"
            " days from now as 90d"
        )
    return found


def _parse_moment(said: str) -> datetime:
    # Bounded, since `datetime` ends with the year 9999.
    if said.endswith("d") and said[:-1].isdecimal() and len(said) <= len("99999d"):
        return datetime.fromtimestamp(int(time.time()) + int(said[:-1]) * 86_400, UTC)
    try:
        return api_keys.moment(said)
    except ValueError as exc:
        raise Misused(f"--expires: {exc}, or days as 90d") from None


def _refuse_bad_name(name: str) -> None:
    try:
        ApiKey(name=name)
    except ValueError:
        raise Misused("a name has 1 to 128 letters, and no control character") from None
