"""Write docs/settings.md anew: `python -m tests.cdk.walk`."""

import tempfile
from pathlib import Path

from models.settings import Settings
from tests.cdk.conftest import CHINA, FULL, synthesized
from tests.cdk.walk import PAGE
from tests.cdk.walk.page import page
from tests.cdk.walk.template import Templates, changed, resources


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="atelier-walk-") as name:
        folders = [Path(name, each) for each in ("whole", "least", "changed")]
        for folder in folders:
            folder.mkdir()
        whole, least = (
            resources(synthesized(folder, Settings.read(args=given))[0].json)
            for folder, given in zip(folders, (FULL, CHINA), strict=False)
        )
        PAGE.write_text(page(Templates(whole, least, changed(folders[2]))))


if __name__ == "__main__":
    main()
