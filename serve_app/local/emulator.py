"""Embedded AWS: an emulator as a process of its own, for laptops and tests.

No other module knows which emulator it is: they read an endpoint from their environment.
"""

import asyncio
import fcntl
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ingest.aws.client import Clients
from ingest.aws.provision import provision
from models.errors import SettingsError, Unavailable
from models.loopback import LOOPBACK, free_port
from models.settings import Settings

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.05
_INSTALL = "make setup, or: python -m venv {root} && {root}/bin/pip install ministack==1.5.33"
_LAUNCHER = Path(__file__).with_name("emulator_launcher.py")


class EmbeddedAws:
    """Emulator of AWS on loopback, from entering the block to leaving it.

    Nothing is kept of what is in it, unless it is given a folder for that.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        log: Path | None = None,
        keep: Path | None = None,
        root: Path | None = None,
        region: str = "us-east-1",
        account: str = "000000000000",
        services: Sequence[str] = (),
        strict: bool = False,
    ) -> None:
        self.port = port
        """TCP port on loopback; 0 until the emulator starts, for a free one."""
        self.log = log
        self.keep = keep
        """Folder of the state, which the next emulator goes on with; saved about each second, so
        that a kill loses what is newer. None: nothing is kept."""
        self.root = root or Path(sys.prefix) / "ministack"
        self.region = region
        self.account = account
        self.services = services
        """Names of the services to emulate; empty: all."""
        self.strict = strict
        """Flag: policies decide what roles may do, Lambda functions' too; our keys may do all."""
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the emulator, and wait until it answers: up to a minute.

        Raises:
            SettingsError: the emulator is not installed, the port is in use, or another one keeps
                its state in the same folder.
            Unavailable: the emulator ended, or did not answer in time.
        """
        self.port = free_port(self.port, "the embedded AWS")
        self._home = tempfile.TemporaryDirectory(prefix="aws-", ignore_cleanup_errors=True)
        try:
            self._lock = _locked(self.keep) if self.keep else None
            self._process = self._start(Path(self._home.name))
            self._wait()
        except BaseException:  # Ctrl-C, too: what fails to enter is not left
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables that lead an AWS SDK to the emulator; their keys are made up."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def process(self) -> int | None:
        """Id of the emulator's process; None before the start."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        if self._process is not None:
            _stop(self._process)
        if self._lock is not None:
            self._lock.close()
        if self._home is not None:
            self._home.cleanup()

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        python = self.root / "bin" / "python"
        if not python.exists():
            install = _INSTALL.format(root=self.root)
            raise SettingsError(f"the embedded AWS is not in {self.root}; {install}")
        self.log = self.log or home / "aws.log"
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own words only
                # -P: the folder of the launcher, which is ours, is not on the emulator's path.
                [python, "-P", _LAUNCHER, str(os.getpid())],
                env=self._own_environment(home),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that Ctrl-C reaches only the process that closes it
            )

    def _own_environment(self, home: Path) -> Mapping[str, str]:
        state, keeps = self.keep or home, str(int(self.keep is not None))
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "TMPDIR": str(home),  # MiniStack leaves a file with its process id there
            "BIND_HOST": LOOPBACK,  # else MiniStack listens on every interface
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": self.region,
            "MINISTACK_ACCOUNT_ID": self.account,
            "SERVICES": ",".join(self.services),
            "AUTH": str(self.strict).lower(),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "PERSIST_STATE": keeps,
            "S3_PERSIST": keeps,
            "S3_DATA_DIR": str(state / "s3"),
            "STATE_DIR": str(state / "state"),
            "LOG_LEVEL": "WARNING",
            "DOCKER_HOST": f"unix://{home}/no-docker",  # else MiniStack would start containers
        }

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                raise Unavailable(f"the embedded AWS ended: {self._last_words()}")
            if time.monotonic() > deadline:
                raise Unavailable(f"the embedded AWS did not answer: {self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/_ministack/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_words(self) -> str:
        text = self.log.read_text(errors="replace").strip() if self.log else ""
        return text[-1_000:] or "it said nothing"


def _locked(folder: Path) -> IO[bytes]:
    """Make a folder, and lock it for this process.

    Raises:
        SettingsError: it cannot be made, or another emulator has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("wb")
    except OSError as exc:
        raise SettingsError(f"--keep {folder}: {exc.strerror}") from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise SettingsError(
            f"--keep {folder}: another embedded AWS has this folder; stop it, or name another"
        ) from None
    return lock


def provision_sync(settings: Settings) -> None:
    """Make the topics, queues, buckets and tables of the settings, outside any event loop.

    They are made in the AWS that the environment leads to.
    """

    async def make() -> None:
        async with Clients(settings.aws.region) as clients:
            await provision(settings, clients)

    asyncio.run(make())


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end for five seconds, then kill it and all that it started.

    Lambda functions are processes of the emulator.
    """
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        # It leads a group, as it has a session of its own; the group lives on while a member does.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
