"""`atelier aws deploy`: write the configuration, check it, deploy, and prove it with a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import typer

from atelier import Misused
from cli.aws.deploy.configuration import Draft, RequestedSettings, draft
from cli.aws.deploy.images import NO_BASE
from cli.aws.deploy.options import ConfigurationOptions, StepOptions
from cli.aws.deploy.steps import Deployment
from cli.aws.installation import DEFAULT_NAME, Installation
from cli.aws.sdk import Aws, NotSignedIn, RequirementMissing, admin_of, translated
from cli.aws.tools import Tools
from models.errors import SettingsError
from models.names import images
from models.settings.checks import check
from models.settings.order import out_of_order
from models.settings.unused import unused_on_aws


def deploy(
    installation: Installation, configuration: ConfigurationOptions, options: StepOptions
) -> None:
    """Deploy the platform, or bring it up to its configuration, and prove it with a picture.

    What is missing is named before anything is made. Safe to run again at any time.
    """
    bases = _bases(options.base_image or [])
    if configuration.snapshot and options.with_snapshot:
        raise Misused("--snapshot names one and --with-snapshot makes another: give one of them")
    write_configuration(installation, configuration, options)
    installation = replace(installation)  # a copy reads the file again
    settings = installation.settings
    for note in (*unused_on_aws(settings), *out_of_order(settings)):
        installation.out.note(f"note: {note}")
    if options.dry_run:
        return
    _refuse_wrong_settings(installation)
    _refuse_useless_bases(installation, bases)
    Deployment(installation, options, Tools(environment=installation.aws.environment), bases).run()


def _refuse_wrong_settings(installation: Installation) -> None:
    """Refuse settings that replicas would only refuse once nodes and images have been paid for.

    Raises:
        Misused: the settings are wrong; names everything that is.
    """
    try:
        check(installation.settings).refuse()
    except SettingsError as exc:
        raise Misused(f"{installation.path}:\n{exc}") from None


def _refuse_useless_bases(installation: Installation, bases: Mapping[str, str]) -> None:
    """Refuse base images for kinds of images that are not built on one.

    Raises:
        Misused: no image of a type is built on another; names what is.
    """
    built = images.kinds(installation.settings)
    taken = [kind for kind in built if kind not in NO_BASE]
    accepted = f"built on another: {', '.join(taken) or 'none'}"
    for kind in bases:
        if kind not in taken:
            raise Misused(f"--base-image {kind}: no such image; {accepted}")


def write_configuration(
    installation: Installation, configuration: ConfigurationOptions, options: StepOptions
) -> None:
    """Write the configuration file; ask first if that would change an existing one."""
    change = draft(installation.path, _requested(installation, configuration, options))
    change.settings()
    if not change.differs:
        installation.out.note(f"{installation.path}: kept as it is")
        return
    if change.former is None:
        installation.out.note(f"{installation.path}: new")
    else:
        _confirm_change(installation, change, options)
    change.write()


def _confirm_change(installation: Installation, change: Draft, options: StepOptions) -> None:
    installation.out.block(change.diff)
    question = f"Change {installation.path} so? (comments within go; the old one is kept as .bak)"
    if not options.yes and not typer.confirm(question, err=True):
        raise Misused(f"{installation.path} was left as it is; nothing was deployed")


def _requested(
    installation: Installation, configuration: ConfigurationOptions, options: StepOptions
) -> RequestedSettings:
    """Collect the requested settings.

    The region is the option's, else the file's, else that of the AWS session.
    """
    new = not installation.path.exists()
    region = installation.region or (None if new else installation.settings.aws.region)
    aws = Aws(region, installation.profile)
    if aws.region is None:
        raise RequirementMissing("no region; name one with --region")
    account, admin = _caller(aws, needed=not options.dry_run)
    return RequestedSettings(
        stack_name=installation.stack_name or DEFAULT_NAME,
        account=account if new or installation.settings.aws.is_local else None,
        region=aws.region,
        partition=aws.partition,
        admin=admin,
        bucket=configuration.bucket,
        runtime=configuration.runtime_name,
        type=configuration.runtime_type,
        snapshot=configuration.snapshot,
    )


def _caller(aws: Aws, *, needed: bool) -> tuple[str | None, str | None]:
    """Return account and principal; None for both in a dry run without credentials."""
    try:
        with translated():
            return aws.caller.account, admin_of(aws)
    except NotSignedIn:
        if needed:
            raise
        return None, None


def _bases(given: Sequence[str]) -> dict[str, str]:
    pairs = [option.partition("=") for option in given]
    if not all(sign and image for _, sign, image in pairs):
        raise Misused("--base-image is TYPE=IMAGE, such as comfyui=my/comfyui:1.2")
    return {kind: image for kind, _, image in pairs}
