# syntax=docker/dockerfile:1
# One layer over an image of ComfyUI or SD Web UI: Ray and atelier in an environment of their own.
ARG RUNTIME_IMAGE

FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM ${RUNTIME_IMAGE}

# The image's start and its Python's settings are for its server, and that is atelier's to start.
ENTRYPOINT []
ENV PYTHONHOME="" PYTHONPATH=""
USER 0
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# The health check below asks with wget. Its version is the image's own business.
# hadolint ignore=DL3008
RUN command -v wget || { apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*; }

RUN --mount=type=bind,from=uv,source=/uv,target=/usr/bin/uv \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,target=/source \
    UV_COMPILE_BYTECODE=1 /source/docker/install.sh /opt/atelier /source \
    && ln -sf /opt/atelier/bin/* /usr/local/bin/

# Where ComfyUI has its packs, and its Python for their requirements; empty: none are fetched.
ARG NODES_FOLDER=""
ARG NODES_PYTHON=""
RUN --mount=type=bind,source=docker,target=/source \
    if [ -n "$NODES_FOLDER" ]; then /source/nodes.sh /source/nodes.txt "$NODES_FOLDER"; fi

# Pods run as this user: their security context says so (cdk/manifests/security.py).
RUN { getent passwd 1000 || useradd --uid 1000 --no-create-home atelier; } \
    && install --directory --owner 1000 /var/lib/atelier
USER 1000
WORKDIR /var/lib/atelier
# Ray wants one and the same patch version of Python everywhere, unless it is told otherwise.
ENV HOME=/var/lib/atelier \
    RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL=minor \
    RAY_USAGE_STATS_ENABLED=0

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["wget", "-q", "-T", "4", "-O", "/dev/null", "http://127.0.0.1:52365/api/healthz"]
CMD ["ray", "start", "--address=ray-head:6379", "--block"]
