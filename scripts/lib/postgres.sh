# A PostgreSQL server for the tests. Sourced after common.sh.
#
# Only its programs are used: the tests start clusters of their own, in temporary folders, and end them.
# A cluster of the system, if there is one, is never touched.

has_postgres() {
    [[ -n ${WRIT_POSTGRES-} ]] && { [[ -x $WRIT_POSTGRES/initdb ]]; return; }
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# postgres_prepare: makes sure that there is a server, and `setpriv`, which starts it without rights.
postgres_prepare() {
    command -v setpriv >/dev/null || apt_install util-linux
    has_postgres && return
    [[ -z ${WRIT_POSTGRES-} ]] || die "WRIT_POSTGRES names $WRIT_POSTGRES, where there is no initdb" "unset it"
    apt_install postgresql
    has_postgres || die "the package postgresql brought no server" "name the folder of initdb in WRIT_POSTGRES"
}
