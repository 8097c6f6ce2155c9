"""Entry point of the Lambda function, configured by its files and environment."""

import json
import os
from pathlib import Path

from models.settings.edge import FILE, KEY_NAMES, EdgeConfig
from serve_app.edge.application import make_handler

_config = Path(__file__).parents[2] / FILE

# Made at import, which happens once an instance: its requests share clients and caches.
handler = make_handler(
    EdgeConfig.model_validate_json(_config.read_bytes()),
    dict(json.loads(os.environ.get(KEY_NAMES, "[]"))),
)
