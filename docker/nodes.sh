#!/bin/sh
# Fetches packs of custom nodes, each at its commit, into a folder.
#
#   nodes.sh LIST FOLDER
#
# NODES_PYTHON: the interpreter that gets each pack's requirements; none if empty.
set -eu

list=$1
folder=$2

fetch() {
    git init --quiet "$folder/$3"
    git -C "$folder/$3" fetch --quiet --depth 1 "$1" "$2"
    git -C "$folder/$3" checkout --quiet FETCH_HEAD
    rm -rf "${folder:?}/$3/.git"
    if [ -n "${NODES_PYTHON:-}" ] && [ -f "$folder/$3/requirements.txt" ]; then
        "$NODES_PYTHON" -m pip install --no-cache-dir --requirement "$folder/$3/requirements.txt"
    fi
}

sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list" | while IFS= read -r line || [ -n "$line" ]; do
    if ! printf '%s\n' "$line" | grep -Eq '^(https|file)://[^@]+@[0-9a-f]{40}$'; then
        echo "$list: not URL@COMMIT with a commit of 40 hex digits: $line" >&2
        exit 1
    fi
    fetch "${line%@*}" "${line#*@}" "$(basename "${line%@*}" .git)"
done
