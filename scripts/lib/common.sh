# What the scripts here share. Sourced, never run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$root/target

# Everything built for guests shares this folder, so that `std` is compiled once.
guest_build=$target/guest-build

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die REASON [WAY OUT]
die() {
    printf 'error: %s: %s\n' "${0##*/}" "$1" >&2
    [[ -z ${2-} ]] || printf '  help: %s\n' "$2" >&2
    exit 1
}

need_rust() {
    command -v rustc >/dev/null && command -v cargo >/dev/null || die "needs rustc and cargo" "install Rust $(rust_version) with rustup"
}

# One run at a time: a second one waits for the first and then finds everything done.
lock() {
    mkdir -p "$(dirname "$1")"
    exec {lock_fd}>"$1"
    flock -n "$lock_fd" && return
    say "another run is at work; waiting for it"
    flock "$lock_fd"
}

# Installs Debian packages that are not there yet. `--no-remove`: never at the cost of others.
apt_install() {
    local missing=() package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]} == 0)) || apt_upgrade "${missing[@]}"
}

# Installs Debian packages, or brings them to the newest version.
apt_upgrade() {
    local missing=("$@") sudo=() log
    local by_hand="install them by hand: apt-get install --no-install-recommends ${missing[*]}"
    command -v apt-get >/dev/null || die "needs ${missing[*]}, and there is no apt-get" "$by_hand"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "needs ${missing[*]}, and is neither root nor has sudo" "$by_hand"
        sudo=(sudo)
    fi
    say "installing ${missing[*]}"
    # A fresh machine has no package lists, an image has stale ones, and those name older versions
    # that still install. Without a network the old lists have to do.
    "${sudo[@]}" apt-get update -qq >/dev/null 2>&1 || say "the package lists could not be refreshed"
    log=$("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-remove --no-install-recommends "${missing[@]}" 2>&1) ||
        die "could not install ${missing[*]}: $(tail -1 <<<"$log")" "$by_hand"
}

# The Rust that the workspace asks for.
rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml"; }

# version_at_least HAVE WANTED
version_at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -1) == "$2" ]]; }

# One line that changes when any of the files or folders named does. Prints a digest.
digest_of() {
    (cd "$root" && find "$@" -type f ! -path '*/target/*' ! -path '*/site/out/*' \
        ! -path '*/__pycache__/*' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
}

# Copies a file only when it differs, and never leaves half of it.
place() {
    cmp -s "$1" "$2" && return
    cp "$1" "$2.new"
    mv "$2.new" "$2"
}
