#!/bin/sh
# A protoc for build scripts that need one: $UMBRA_PROTOC, the one on PATH, or the one that Cargo fetched.
if [ -n "${UMBRA_PROTOC:-}" ]; then
    exec "$UMBRA_PROTOC" "$@"
fi
if command -v protoc >/dev/null 2>&1; then
    exec protoc "$@"
fi
case "$(uname -s)-$(uname -m)" in
Linux-x86_64) platform=linux-x86_64 ;;
Linux-aarch64) platform=linux-aarch_64 ;;
Darwin-arm64) platform=macos-aarch_64 ;;
Darwin-x86_64) platform=macos-x86_64 ;;
*) platform=none ;;
esac
for found in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/protoc-bin-vendored-"$platform"-*/bin/protoc; do
    if [ -x "$found" ]; then
        exec "$found" "$@"
    fi
done
echo "no protoc: install one (protobuf-compiler), or name it in UMBRA_PROTOC" >&2
exit 1
