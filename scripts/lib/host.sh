# What the machine needs to build writ itself. Sourced after common.sh.

# host_prepare: a C compiler for the cryptography, and the Rust that the project names.
host_prepare() {
    command -v cargo >/dev/null || die "needs cargo" "install Rust 1.95 with rustup"
    command -v cc >/dev/null || apt_install gcc libc6-dev
}

# skipped WHAT WHY WAY_OUT: nothing is left out in silence.
skipped() {
    printf '\n*** SKIPPED: %s: %s\n***   help: %s\n\n' "$1" "$2" "$3" >&2
}
