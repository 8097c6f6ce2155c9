"""Names on the command line: weights in the home, and where in it a local file belongs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from atelier import AtelierError, Misused
from cli.checkpoints.home import Home, StoreError
from cli.completion import in_time
from cli.exit_codes import NOT_FOUND
from models.checkpoints import PIPELINE_FOLDER
from models.weights.entries import Entry, entries, find
from models.weights.folder import FolderWeights
from models.weights.kinds import Kind, as_there, folder_for, kind_of_folder
from models.weights.store import WeightStore


def complete(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete names of weights in the home that earlier words of the command line name."""

    def names() -> Iterator[str]:
        try:
            given = {name: ctx.params.get(name) for name in ("store", "config", "region")}
            home = Home(**{name: value for name, value in given.items() if value is not None})
            yield from (entry.name for entry in home.run(all_entries))
        except (AtelierError, OSError):
            return

    return in_time(names, incomplete)


async def all_entries(store: WeightStore) -> Sequence[Entry]:
    """List the weights of a store."""
    return entries(await store.list())


def named(known: Sequence[Entry], said: str, where: str) -> Entry:
    """Find weights by any of their names.

    Raises:
        StoreError: there are none.
        NameRefused: the name means several.
    """
    found = find(known, said)
    if found is None:
        raise StoreError(f"no {said!r} in {where}; `atelier checkpoints list` has all", NOT_FOUND)
    return found


@dataclass(frozen=True)
class Source:
    """Local file, and the name that it is to have in the home."""

    path: Path
    name: str


@dataclass(frozen=True)
class Placing:
    """Choice of the names that local files get in a home."""

    there: Sequence[str]
    """Names of the files that the home has."""
    kind: Kind | None
    """Kind that the person says; None: told by the folder of each file."""
    name: str | None
    """Name that the person says, of the one thing that is sent."""

    def sources(self, path: Path) -> tuple[Sequence[Source], int]:
        """Name what is to be sent of a path; return it, and how many files are left out.

        Raises:
            Misused: there is no such path, or nothing says where it belongs.
        """
        if path.is_file():
            return [Source(path, self.name or self._placed(path))], 0
        if not path.is_dir():
            raise Misused(f"{path}: there is no such file or folder")
        files = FolderWeights(path).files()
        if (path / PIPELINE_FOLDER).is_file():
            name = self.name or self._placed(path)
            return [Source(path / file.name, f"{name}/{file.name}") for file in files], 0
        if self.name:
            raise Misused("--name is of one file, or of a folder with one checkpoint in it")
        found = [source for entry in entries(files) for source in self._of(path, entry)]
        return found, len(files) - len(found)

    def _of(self, path: Path, entry: Entry) -> Iterator[Source]:
        name = self._kept(path, entry.name)
        for file in entry.files if name else ():
            yield Source(path / file.name, f"{name}{file.name.removeprefix(entry.name)}")

    def _placed(self, path: Path) -> str:
        """Name a file, or the folder of a checkpoint, by its kind."""
        name = self._kept(path.parent, path.name)
        if name is None:
            kinds = ", ".join(Kind)
            raise Misused(f"{path}: its folders say no kind; say --kind ({kinds}), or --name")
        return name

    def _kept(self, folder: Path, below: str) -> str | None:
        """Name a file by the innermost known folder around it, or by the kind that is said."""
        parts = [*folder.absolute().parts, *below.split("/")]
        at = next((i for i in _backwards(parts[:-1]) if kind_of_folder(parts[i])), None)
        if self.kind:
            # What lies deeper than the folder that was named keeps its own folders.
            return f"{folder_for(self.kind, self.there)}/{below}"
        if at is None:
            return None
        return "/".join([as_there(parts[at], self.there), *parts[at + 1 :]])


def _backwards(parts: Sequence[str]) -> Iterable[int]:
    return reversed(range(len(parts)))
