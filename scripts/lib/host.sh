# What the machine needs to build writ itself. Sourced after common.sh.

# host_prepare: a C compiler for the cryptography, and the Rust that the project names.
host_prepare() {
    need_rust
    local version
    version=$(rustc --version | cut -d ' ' -f 2)
    version_at_least "${version%%-*}" "$(rust_version)" ||
        die "needs Rust $(rust_version) or newer, and $(command -v rustc) is $version" \
            "rustup toolchain install $(rust_version) && rustup default $(rust_version)"
    command -v cc >/dev/null || apt_install gcc libc6-dev
}

# skipped WHAT WHY WAY_OUT: in CI nothing is left out.
skipped() {
    [[ -z ${CI-} ]] || die "in CI nothing is skipped: $1: $2" "$3"
    left_out "$@"
}

# left_out WHAT WHY WAY_OUT: nothing is left out in silence.
left_out() {
    printf '\n*** SKIPPED: %s: %s\n***   help: %s\n\n' "$1" "$2" "$3" >&2
}
