"""What Lambda imports: the edge, as the files and the environment of the function say."""

import json
import os
from pathlib import Path

from models.settings.edge import FILE, KEY_NAMES, EdgeConfig
from serve_app.edge.application import edge

_told = Path(__file__).parents[2] / FILE

handler = edge(
    EdgeConfig.model_validate_json(_told.read_bytes()),
    dict(json.loads(os.environ.get(KEY_NAMES, "[]"))),
)
