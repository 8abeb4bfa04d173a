#!/bin/sh
# Builds a real influxd 2.7.12 from source into <checkout>/.cache/influxd, for the tests only.
# Needs Go >= 1.24 (or a Go that may fetch it), gcc and cargo; about 4 min cold on 2 cores.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out="$root/.cache/influxd"
version=2.7.12

if [ -x "$out" ] && "$out" version 2>/dev/null | grep -q "$version"; then
    echo "influxd $version is already built: .cache/influxd"
    exit 0
fi
for tool in go gcc cargo; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "influxd: $tool is not installed; the tests marked 'influx' will be skipped" >&2
        exit 3
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$root/.cache"

# Newer rustc turns warnings into errors in a build dependency, which RUSTFLAGS does not reach
# because --target is given; the wrapper does.
cat > "$work/rustc-wrapper" <<'WRAPPER'
#!/bin/sh
exec "$@" --cap-lints warn
WRAPPER
chmod +x "$work/rustc-wrapper"
export RUSTC_WRAPPER="$work/rustc-wrapper"

# flux's rust-toolchain.toml asks for a version that need not be installed.
if command -v rustup >/dev/null 2>&1; then
    RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-$(cd / && rustup show active-toolchain | cut -d' ' -f1)}
    export RUSTUP_TOOLCHAIN
fi

cd "$here"
echo "influxd $version: building pkg-config (1/2)"
go build -mod=readonly -o "$work/pkg-config" github.com/influxdata/pkg-config
export PKG_CONFIG="$work/pkg-config"
echo "influxd $version: building influxd, about 4 minutes when cold (2/2)"
CGO_ENABLED=1 go build -mod=readonly -tags sqlite_foreign_keys,sqlite_json,noassets \
    -ldflags "-s -w -X main.version=$version" -o "$work/influxd" \
    github.com/influxdata/influxdb/v2/cmd/influxd
mv "$work/influxd" "$out.new"
mv "$out.new" "$out"
echo "influxd $version: built .cache/influxd"
