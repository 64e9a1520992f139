#!/bin/bash
# Installs the package in a fresh Debian and uses it: test.sh FOLDER [MIRROR], as root. FOLDER: where `make deb` put the
# package; the Debian is made beside it, by debootstrap. Takes some minutes, most of them downloads.
set -euo pipefail
folder=$(realpath "$1") mirror=${2:-http://deb.debian.org/debian}
here=$(realpath "$(dirname "$0")")
package=$(ls "$folder"/millrace_*.deb)
root=$folder-root

# Mounts and listeners of its own, which end with it.
if [ -z "${MILLRACE_IN_NAMESPACE:-}" ]; then
    lintian --fail-on error --suppress-tags bad-distribution-in-changes-file "$package"
    [ -e "$root.fresh/done" ] || {
        rm -rf "$root.fresh"
        debootstrap --variant=minbase bookworm "$root.fresh" "$mirror"
        touch "$root.fresh/done"
    }
    rm -rf "$root"
    cp -a "$root.fresh" "$root"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d" && chmod 0755 "$root/usr/sbin/policy-rc.d"
    cp "$package" "$root/millrace.deb"
    cp "$here/container.sh" "$root/container.sh"
    chroot "$root" sh /container.sh /millrace.deb
    chroot "$root" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql'
    MILLRACE_IN_NAMESPACE=1 exec unshare --net --pid --fork --mount --kill-child "$0" "$@"
fi
ip link set lo up
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"

inside() { chroot "$root" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
count() { inside runuser -u postgres -- psql -qAt millrace -c 'SELECT count(*) FROM analytics_events'; }
# Starts it as systemd would: as its user. Waits until it takes events.
start() {
    inside runuser -u millrace -- millrace serve --config /etc/millrace/config.toml > "$folder/serve.log" 2>&1 &
    for _ in $(seq 300); do
        inside curl -fsS -o /dev/null http://127.0.0.1:8080/livez 2> /dev/null && return
        sleep 0.2
    done
    cat "$folder/serve.log" >&2
    fail "the daemon does not answer"
}
stop() {
    local process
    for process in "$root"/proc/[0-9]*; do
        [ "$(cat "$process/comm" 2> /dev/null)" != millrace ] || kill -TERM "${process##*/}"
    done
    wait
}
send() {
    inside curl -fsS 'http://127.0.0.1:8080/v1/events?ack=committed' -H 'Content-Type: application/json' \
        -d '{"event_type":"package.tested"}' > /dev/null || fail "no event is taken"
}

inside test -x /usr/bin/millrace || fail "no binary"
[ "$(inside stat -c '%a %U %G' /etc/millrace/config.toml)" = '640 root millrace' ] || fail "config.toml is not its group's"
[ "$(inside stat -c '%a %U %G' /var/lib/millrace)" = '750 millrace millrace' ] || fail "the data folder is not its own"
[ "$(inside id -u millrace)" = 7171 ] || fail "the container's user has another number"
inside test -e /usr/share/man/man1/millrace.1.gz || fail "no manual page"
inside bash -c '. /usr/share/bash-completion/completions/millrace' || fail "the completions of bash can't be read"
inside millrace check > /dev/null 2>&1 && fail "check finds a database where there is none"

cp "$package" "$root/again.deb"
mkdir -p "$root/run/postgresql" && inside chown postgres:postgres /run/postgresql
version=$(inside ls /etc/postgresql)
inside pg_ctlcluster "$version" main start
inside runuser -u postgres -- createuser millrace
inside runuser -u postgres -- createdb --owner millrace millrace
sed -i 's/^writers = 2$/writers = 1/' "$root/etc/millrace/config.toml"
grep -q '^writers = 1$' "$root/etc/millrace/config.toml" || fail "config.toml has another number of writers"
inside runuser -u millrace -- millrace migrate up
inside runuser -u millrace -- millrace partitions ensure
inside runuser -u millrace -- millrace check
start
send
[ "$(count)" = 1 ] || fail "the event is not in its table"
echo "installed: an event is in its table"

# The next version over it, while it runs.
rm -rf "$folder/next" && dpkg-deb -R "$package" "$folder/next"
sed -i 's/^Version: .*/Version: 9999/' "$folder/next/DEBIAN/control"
echo '# New in this version.' >> "$folder/next/etc/millrace/config.toml"
dpkg-deb --root-owner-group -b "$folder/next" "$root/next.deb" > /dev/null
inside dpkg --force-confold -i /next.deb
grep -q '^writers = 1$' "$root/etc/millrace/config.toml" || fail "the upgrade took config.toml's settings"
[ "$(inside stat -c '%a %U %G' /etc/millrace/config.toml)" = '640 root millrace' ] || fail "the upgrade opened config.toml"
send
stop
start
send
[ "$(count)" = 3 ] || fail "events are missing after the upgrade"
echo "upgraded: nothing is lost, settings are kept"

stop
inside dpkg -r millrace
inside test -e /usr/bin/millrace && fail "the binary is still there"
inside test -e /etc/millrace/config.toml || fail "a removal took the settings"
inside test -d /var/lib/millrace/spool || fail "a removal took the spool"
inside dpkg --force-confold -i /again.deb > /dev/null
inside pg_ctlcluster "$version" main stop
start
inside curl -fsS http://127.0.0.1:8080/v1/events -d '{"event_type":"package.tested"}' -H 'Content-Type: application/json' > /dev/null
stop
inside dpkg -P millrace | tee "$folder/purge.log"
grep -q 'is kept' "$folder/purge.log" || fail "a purge does not say that it kept a spool with events"
inside test -d /var/lib/millrace/spool || fail "a purge took events that are in no table"
inside pg_ctlcluster "$version" main start
inside dpkg --force-confold -i /again.deb > /dev/null
start
send
stop
[ "$(count)" = 5 ] || fail "what the spool kept is not in the tables"
inside dpkg -P millrace
left=$(cd "$root" && find etc usr var lib run -xdev -path var/lib/postgresql -prune -o -name '*millrace*' ! -path 'var/lib/dpkg/*' ! -path 'etc/*-' -print)
[ -z "$left" ] || fail "a purge left $left"
inside pg_ctlcluster "$version" main stop
echo "removed and purged: nothing is left but what is said"
