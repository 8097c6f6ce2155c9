"""Serve's gRPC port kept on loopback where Ray runs on one machine; written for Ray 2.60."""

from functools import cache
from importlib import import_module
from typing import Any

import ray

from models.loopback import LOOPBACK


def keep_to_loopback() -> None:
    """Keep a replica's port for other replicas off the network where Ray itself is on loopback.

    Call it before the replica is up. Ray Serve 2.60 binds that port to every interface and has no
    setting for it.
    """
    if ray.util.get_node_ip_address() == LOOPBACK:
        _rebind()


@cache
def _rebind() -> None:
    """Have `ray.serve._private.replica` bind to loopback; done once in a process.

    The module calls ``add_port_to_grpc_server(server, "[::]:0")`` by the name that it imported.
    """
    replica: Any = import_module("ray.serve._private.replica")
    bind = replica.add_port_to_grpc_server

    def bind_to_loopback(server: Any, address: str) -> Any:
        # Only the host: with port 0 the system chooses, and Serve is told which one it took.
        return bind(server, address.replace("[::]", LOOPBACK))

    replica.add_port_to_grpc_server = bind_to_loopback
