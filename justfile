# What is done often. `just --list` shows it.

# Audits the bundled patients.
demo:
    cargo run --release --locked -- run deploy/examples/support2.toml

# All tests.
test:
    bash tests/run

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Licences, bans and sources of dependencies.
deny:
    cargo deny check bans licenses sources

# Speed, beside PyTorch where it is installed.
bench:
    cargo bench -p umbra-train
    cargo bench -p umbra-stats

# All that is to be shown on a machine with a CUDA device; a page of results in target/gpu-test.md.
gpu-test DEVICE="0":
    bash deploy/cuda/gpu-test.sh {{DEVICE}}
