"""Options of the type ``sdwebui``."""

import re
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from models.runtimes.backend import Process, ServedOptions

_FLAGS = {"--server-name": "127.0.0.1", "--port": "{port}"}
_LOOPBACK = re.compile(r"--server-name[ =](127\.0\.0\.1|localhost)(?![\w.-])")
# The first binds every interface, the others lead in from the internet by a tunnel.
_OPENING = ("--listen", "--share", "--ngrok")

Seconds = Annotated[float, Field(gt=0)]


class Options(ServedOptions):
    """Options of a Web UI server."""

    auth: SecretStr | None = None
    """``user:password`` of the server's ``--api-auth``."""
    progress_every: Seconds = 1
    """Seconds between two looks at how far a generation is."""
    preview_every: Annotated[float, Field(ge=0)] = 2
    """Seconds between two previews, which cost the server time; 0: none."""
    interrupt_seconds: Seconds = 60
    """Seconds in which a generation must stop when asked; a slower server is replaced."""

    @model_validator(mode="after")
    def _on_loopback(self) -> Self:
        command = " ".join(self.backend.command)
        if found := [word for word in self.backend.command if word.startswith(_OPENING)]:
            raise ValueError(
                f"backend.command: {found[0]} opens the server to others; leave it out"
            )
        if "--server-name" in command and not _LOOPBACK.search(command):
            raise ValueError("backend.command: --server-name must be 127.0.0.1")
        return self

    @property
    def process(self) -> Process:
        """Process of the backend, told where to listen.

        Without ``--server-name`` a server without its page (``--nowebui``) binds every interface.
        """
        command = self.backend.command
        if not command:
            return self.backend
        # Looked for within words, since `--port=7861` is one word.
        lacking = (pair for pair in _FLAGS.items() if not any(pair[0] in word for word in command))
        flags = (word for pair in lacking for word in pair)
        return self.backend.model_copy(update={"command": (*command, *flags)})
