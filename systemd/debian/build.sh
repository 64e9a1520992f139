#!/bin/sh
# Builds the Debian package of a binary, and one of its debug symbols where they lie beside it:
#   build.sh BINARY FOLDER
# BINARY: the release, stripped; its manual pages and completions in BINARY.man and BINARY.completions, its debug symbols in
# BINARY.debug. FOLDER: where the packages go; made anew.
set -eu
binary=$1 folder=$2
here=$(dirname "$0")
root=$folder/root
version=$(sed -n 's/^ *package static let current = "\(.*\)"$/\1/p' "$here"/../../Sources/MillraceDaemon/*.swift)
architecture=$(dpkg --print-architecture)
date=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" '+%a, %d %b %Y %H:%M:%S +0000')
# Who answers for the package, as Debian's tools know it.
maintainer="${DEBFULLNAME:-Millrace} <${DEBEMAIL:-millrace@millrace.invalid}>"

rm -rf "$folder"
mkdir -p "$root/DEBIAN"
make --no-print-directory -s -C "$here/../.." install DESTDIR="$root" PREFIX=/usr BINARY="$binary"

# What Debian wants besides.
doc=$root/usr/share/doc/millrace
install -m 0644 "$here/copyright" "$doc/copyright"
printf 'millrace (%s) unstable; urgency=medium\n\n  * See %s.\n\n -- %s  %s\n' \
    "$version" "/usr/share/doc/millrace/README.md" "$maintainer" "$date" | gzip -9n > "$doc/changelog.gz"
chmod 0644 "$doc/changelog.gz"
install -D -m 0644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/millrace"
find "$root/usr/share/man" -name '*.1' -exec gzip -9n {} + 2>/dev/null || true

# The libraries that the binary is linked with, by the packages that hold them.
mkdir -p "$folder/debian"
printf 'Source: millrace\n\nPackage: millrace\nArchitecture: any\n' > "$folder/debian/control"
libraries=$(cd "$folder" && dpkg-shlibdeps -O --ignore-missing-info root/usr/bin/millrace 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
rm -r "$folder/debian"

control() {
    sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@LIBRARIES@/$libraries/" \
        -e "s/@MAINTAINER@/$maintainer/; s/@SIZE@/$(du -sk --exclude=DEBIAN "$1" | cut -f1)/" "$2"
}
control "$root" "$here/control.in" > "$root/DEBIAN/control"
echo /etc/millrace/config.toml > "$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 0755 "$here/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find usr -type f -exec md5sum {} +) > "$root/DEBIAN/md5sums"
chmod -R u+rwX,go+rX,go-w "$root/usr" "$root/DEBIAN"
dpkg-deb --root-owner-group --build "$root" "$folder/millrace_${version}_$architecture.deb"
[ ! -e "$binary.debug" ] || {
    symbols=$folder/symbols
    install -D -m 0644 "$binary.debug" "$symbols/usr/lib/debug/usr/bin/millrace.debug"
    install -D -m 0644 "$here/copyright" "$symbols/usr/share/doc/millrace-dbgsym/copyright"
    install -m 0644 "$doc/changelog.gz" "$symbols/usr/share/doc/millrace-dbgsym/changelog.gz"
    mkdir "$symbols/DEBIAN"
    control "$symbols" "$here/control-dbgsym.in" > "$symbols/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$symbols" "$folder/millrace-dbgsym_${version}_$architecture.deb"
    rm -r "$symbols"
}
rm -r "$root"
