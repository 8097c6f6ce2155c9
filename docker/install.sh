#!/bin/sh
# Puts a Python, the pinned Ray and atelier into a folder of their own, beside whatever a machine or
# an image holds. Needs uv and the package index; the source may be read-only.
#
#   install.sh FOLDER SOURCE
#
# PYTHON: an interpreter to build on; without it, a standalone one is fetched into FOLDER too.
set -eu

folder=$1
source=$2
version=3.11.18

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
    --constraint "$work/constraints.txt" "$work"

mkdir "$folder/bin" # not the environment's own: an image keeps its `python`
for command in atelier ray serve; do
    ln -s "../env/bin/$command" "$folder/bin/$command"
done
chmod -R a+rX,go-w "$folder"

"$folder/bin/ray" --version
cd / && "$folder/env/bin/python" -c 'import deployments.backend, serve_app.app'
