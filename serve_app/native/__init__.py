"""Native HTTP API, ``/v1``: tasks are submitted, found, watched and cancelled."""
