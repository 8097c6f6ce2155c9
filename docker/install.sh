#!/bin/sh
# Puts a Python, the pinned Ray and atelier into a folder of their own, beside whatever a machine or
# an image holds. Needs uv and the package index; the source may be read-only.
#
#   install.sh FOLDER SOURCE
#
# PYTHON: an interpreter to build on; without it, a standalone one is fetched into FOLDER too.
# POD_SHELL: the bash that starts a pod, /bin/bash unless said; empty where there will be no pod.
set -eu

folder=$1
source=$2
version=3.11.18

# KubeRay starts a pod with `/bin/bash -c -- "ulimit ...; ray start ..."`. A bash that does not become
# the last command of such a list is process 1 in Ray's place, and does not pass SIGTERM on.
shell=${POD_SHELL-/bin/bash}
if [ -n "$shell" ]; then
    # Without BASH_ENV, a script that bash runs first: what it prints is no process.
    processes=$(unset BASH_ENV; "$shell" -c -- 'printf "%s " "$$"; sh -c "echo \$\$"') || processes=
    if [ "$processes" != "${processes%% *} ${processes%% *}" ]; then
        {
            echo "$shell must be a bash of version 5.1 or newer. It starts each pod, and an older one"
            echo "keeps SIGTERM to itself: no task would be drained before its node goes. Build on an"
            echo "image that has one, of Debian 11, Ubuntu 22.04 or newer (docker/README.md)."
        } >&2
        exit 1
    fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$source/." "$work" # a build writes beside what it builds

if [ -z "${PYTHON:-}" ]; then
    export UV_PYTHON_INSTALL_DIR="$folder/python"
    uv python install --no-bin "$version"
    PYTHON=$(uv python find --managed-python "$version")
fi
uv venv --quiet --python "$PYTHON" "$folder/env"
uv pip install --quiet --python "$folder/env" --link-mode copy \
    --constraint "$work/constraints.txt" "${work}[platform]"

mkdir "$folder/bin" # not the environment's own: an image keeps its `python`
for command in atelier ray serve; do
    ln -s "../env/bin/$command" "$folder/bin/$command"
done
chmod -R a+rX,go-w "$folder"

"$folder/bin/ray" --version
cd / && "$folder/env/bin/python" -c 'import deployments.backend.process, serve_app.app'
