"""The native API, ``/v1``: tasks submitted, found, watched and cancelled over HTTP."""
