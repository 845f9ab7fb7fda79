# Cargo for WebAssembly. Sourced after common.sh.
#
# Where rustc has the target installed (`rustup target add wasm32-wasip2`), that is used. Elsewhere, on
# Debian, the parts come from its archive: a rustc that matches its own `std` sources, and the C library
# of Debian 13. They do what the target would: `std` is built from source, once.

# The older wasi-libc packages have no wasip2.
wasi_libc_min='0.0~git20240101'
wasi_libc_suite=trixie

has_target() {
    local libdir
    libdir=$(rustc --print target-libdir --target "$1" 2>/dev/null) && compgen -G "$libdir/libstd-*.rlib" >/dev/null
}

# wasi_prepare TARGET…: makes sure that each can be built for.
wasi_prepare() {
    local triple
    for triple in "$@"; do
        has_target "$triple" || { wasi_prepare_debian "$triple"; return; }
    done
}

wasi_prepare_debian() {
    local id
    id=$(. /etc/os-release 2>/dev/null && echo "$ID") || true
    [[ $id == debian ]] ||
        die "the target $1 is not installed" "rustup target add wasm32-wasip2 wasm32-wasip1, then run this again"
    linkers=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
    [[ -x $linkers/wasm-component-ld && -x $linkers/gcc-ld/wasm-ld ]] ||
        die "$(command -v rustc) brings no WebAssembly linker" "install Rust 1.95 with rustup"
    debian_rust_suffices || apt_upgrade rustc-web cargo-web rust-web-src
    debian_rust_suffices || die "Debian's rustc-web is older than Rust $(rust_version)" \
        "rustup target add wasm32-wasip2 wasm32-wasip1, then run this again"
    wasi_libc=$target/wasi-libc/usr/lib
    [[ -e $wasi_libc/wasm32-wasip2/crt1-command.o ]] || wasi_libc_fetch
}

# An older rustc-web may be installed, or be all that a stale package list knows.
debian_rust_suffices() {
    local package version
    for package in rustc-web cargo-web rust-web-src; do
        version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) &&
            version_at_least "${version%%+*}" "$(rust_version)" || return 1
    done
}

# Downloads and unpacks wasi-libc below target/, by apt and so with its signatures checked, but without
# touching what is installed or the system's sources.
wasi_libc_fetch() {
    local work=$target/wasi-libc.new options=()
    rm -rf "$work"
    mkdir -p "$work/sources" "$work/lists/partial"
    if ! system_has_wasi_libc; then
        say "fetching the package lists of Debian $wasi_libc_suite"
        wasi_libc_sources "$work/sources"
        options=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$work/sources"
            -o "Dir::State::Lists=$work/lists" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=")
        apt-get "${options[@]}" update -qq >"$work/log" 2>&1 || say "some package lists are missing: $(tail -1 "$work/log")"
    fi
    say "fetching wasi-libc"
    (cd "$work" && apt-get "${options[@]}" download -qq wasi-libc >"$work/log" 2>&1 && dpkg -x wasi-libc_*.deb .) ||
        die "could not fetch wasi-libc: $(tail -1 "$work/log")" "rustup target add wasm32-wasip2 wasm32-wasip1, then run this again"
    [[ -e $work/usr/lib/wasm32-wasip2/crt1-command.o ]] || die "this wasi-libc has no wasm32-wasip2"
    rm -rf "$work/lists" "$work/sources" "$target/wasi-libc"
    mv "$work" "$target/wasi-libc"
}

system_has_wasi_libc() {
    local version
    version=$(apt-cache policy wasi-libc 2>/dev/null | sed -n 's/^  Candidate: //p')
    [[ -n $version && $version != '(none)' ]] && dpkg --compare-versions "$version" ge "$wasi_libc_min"
}

# wasi_libc_sources FOLDER: the machine's own Debian sources, in both notations, for the newer suite.
wasi_libc_sources() {
    local codename file
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    [[ -n $codename ]] || die "/etc/os-release does not name the release of this Debian"
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -e $file ]] || continue
        awk -v RS= -v ORS='\n\n' -v from="$codename" -v to="$wasi_libc_suite" '
            $0 ~ "(^|\n)Suites:[^\n]*" from && $0 ~ "(^|\n)Components:[^\n]* main" { gsub(from, to); print }' "$file"
    done >"$1/newer.sources"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ -e $file ]] || continue
        grep -E "^deb .* $codename(-[a-z]+)* .*\bmain\b" "$file" | sed "s/\b$codename\b/$wasi_libc_suite/" || true
    done >"$1/newer.list"
    [[ -s $1/newer.sources || -s $1/newer.list ]] || die "found no Debian source for $codename in /etc/apt"
}

# wasi_cargo TARGET SUBCOMMAND ARGUMENTS…: cargo in a clean environment, since we may run inside another.
# Debian keeps the functions that refuse to start a thread in a library of their own.
wasi_cargo() {
    local triple=$1 subcommand=$2
    shift 2
    local clean=(env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u RUSTC -u RUSTC_WRAPPER -u RUSTDOC -u MAKEFLAGS
        -u CARGO_MAKEFLAGS -u CARGO_BUILD_TARGET "CARGO_TARGET_DIR=$guest_build")
    if has_target "$triple"; then
        "${clean[@]}" cargo "$subcommand" --target "$triple" "$@"
        return
    fi
    "${clean[@]}" RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc "PATH=$linkers:$linkers/gcc-ld:/usr/bin:/bin" \
        /usr/bin/cargo "$subcommand" --target "$triple" -Zbuild-std=std,panic_abort \
        --config "target.$triple.rustflags=['-Lnative=$wasi_libc/$triple', '-Clink-arg=-lwasi-emulated-pthread']" "$@"
}
