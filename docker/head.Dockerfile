# syntax=docker/dockerfile:1
# The head of the cluster, with the HTTP API and ingest: atelier on Ray's own image.
# With EXTRAS=[diffusers] it is a worker of the `diffusers` runtime; the driver is the node's.
# Ray's image without a suffix is for x86 alone. BuildKit itself says which machine is built for: an
# ARG with a default would take the place of what it says.
FROM rayproject/ray:2.60.0-py311 AS amd64
FROM rayproject/ray:2.60.0-py311-aarch64 AS arm64

# hadolint ignore=DL3006
FROM ${TARGETARCH}
ARG EXTRAS="[platform]"

# As the image's own user, `ray`; a build writes beside what it builds.
RUN --mount=type=bind,target=/source \
    cp -R /source /tmp/source \
    && pip install --no-cache-dir --constraint /tmp/source/constraints.txt "/tmp/source${EXTRAS}" \
    && rm -rf /tmp/source

# Ray wants one and the same patch version of Python everywhere, unless it is told otherwise, and
# Serve starts no replica of a version again whose update failed, and a proxy that died only when
# three of its checks have failed, by default in half a minute; and it kills one that needs more
# than 15 seconds to start, a minute as set here. One that stands still would be waited for as long
# as its tasks may take. Serve's controller asks our policy as often as the demand is measured; by
# default it does ten times a second. As often Ray looks for new files of logs and for events;
# figures of a node and its processes are new each 15 seconds, by default each 5 and 10. Events of
# calls, a node's memory and whether GCS is alive are looked at less often, too.
ENV RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL=minor \
    RAY_SERVE_STOP_FAILED_ROLLING_UPDATES=0 \
    RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S=0.4 \
    RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S=20 \
    RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS=1 \
    RAY_SERVE_CONTROL_LOOP_INTERVAL_S=0.5 \
    LOG_NAME_UPDATE_INTERVAL_S=2 \
    RAY_LOG_MONITOR_MANY_FILES_THRESHOLD=0 \
    EVENT_AGENT_REPORT_INTERVAL_SECONDS=2 \
    REPORTER_UPDATE_INTERVAL_MS=15000 \
    RAY_metrics_report_interval_ms=15000 \
    METRICS_RECORD_INTERVAL_S=15 \
    SCAN_EVENT_DIR_INTERVAL_SECONDS=10 \
    RAY_task_events_report_interval_ms=5000 \
    RAY_memory_monitor_refresh_ms=1000 \
    GCS_CHECK_ALIVE_INTERVAL_SECONDS=15 \
    RAY_DASHBOARD_AGGREGATOR_AGENT_CHECK_MAIN_THREAD_LIVENESS_INTERVAL_SECONDS=1 \
    RAY_USAGE_STATS_ENABLED=0

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["wget", "-q", "-T", "4", "-O", "/dev/null", "http://127.0.0.1:52365/api/healthz"]
USER 1000
CMD ["ray", "start", "--head", "--block"]
