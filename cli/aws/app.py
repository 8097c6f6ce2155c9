"""Typer application of `atelier aws`: its commands in the order of their help."""

import typer

from cli.aws.deploy.command import deploy
from cli.aws.destroy.command import destroy
from cli.aws.installation import command
from cli.aws.kubernetes.kubeconfig import helm, kubeconfig, kubectl, print_token
from cli.aws.logs import logs
from cli.aws.proof.command import check
from cli.aws.snapshot.command import snapshot
from cli.aws.status import status

app = typer.Typer(
    no_args_is_help=True,
    help="The platform on AWS: deploy, test, look into and destroy it (docs/deploy.md).",
    epilog=(
        "Exit codes: 0 done; 1 a step failed, or something is left; 2 wrong usage, or something is"
        " missing; 3 not signed in; 4 not deployed; 5 not reachable; 6 not in time."
    ),
)
# Options are kubectl's and helm's own, also without a `--` before them.
_PASSED_ON = {"ignore_unknown_options": True}

app.command()(command(deploy))
app.command("test")(command(check))
app.command()(command(status))
app.command()(command(logs))
app.command()(command(snapshot))
app.command()(command(kubeconfig))
app.command(context_settings=_PASSED_ON)(command(kubectl))
app.command(context_settings=_PASSED_ON)(command(helm))
app.command("token", hidden=True)(print_token)
app.command()(command(destroy))
