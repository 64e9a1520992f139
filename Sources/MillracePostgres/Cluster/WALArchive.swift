internal import FoundationEssentials
internal import Glibc

/// Where an embedded cluster puts its write-ahead log, file by file, and gets it back from.
///
/// PostgreSQL runs a command for each file, and takes it for archived when that ends well: so the file must then be durable,
/// and must never go over another one. Two scripts in the cluster's folder do that, which its user may run wherever this
/// binary is. A file in the archive is compressed, `000000010000000000000005.zst` (`.gz` where there is no zstd).
package struct WALArchive: Sendable, Equatable {
    /// Absolute.
    package var directory: String
    /// After so long a file that is not full is archived too; what came after it is lost with the disk.
    package var timeout: Duration

    package init(directory: String, timeout: Duration) {
        self.directory = directory
        self.timeout = timeout
    }

    static let archiveScript = """
        #!/bin/sh
        # archive-wal ARCHIVE PATH NAME: written by Millrace at each start.
        set -eu
        umask 077
        directory=$1 path=$2 name=$3
        for packed in "$directory/$name.zst" "$directory/$name.gz"; do
            [ -e "$packed" ] || continue
            # Archived before a crash, which PostgreSQL does not know of; or another cluster's.
            case $packed in *.zst) zstd -dqc "$packed" ;; *) gzip -dc "$packed" ;; esac | cmp -s - "$path" && exit 0
            echo "$packed is there already, and is another one" >&2
            exit 1
        done
        fresh="$directory/.$name"
        if command -v zstd > /dev/null; then
            zstd -q -1 -f -c "$path" > "$fresh" && packed="$directory/$name.zst"
        else
            gzip -1 -c "$path" > "$fresh" && packed="$directory/$name.gz"
        fi
        sync "$fresh"
        # A link never replaces a file.
        ln "$fresh" "$packed"
        rm -f "$fresh"
        sync "$directory"

        """

    /// The folders of clusters that were there before may have what came to no archive.
    static let restoreScript = """
        #!/bin/sh
        # restore-wal ARCHIVE NAME PATH [FOLDER ...]: written by Millrace.
        set -eu
        umask 077
        directory=$1 name=$2 path=$3
        shift 3
        if [ -e "$directory/$name.zst" ]; then exec zstd -dqc "$directory/$name.zst" > "$path"; fi
        if [ -e "$directory/$name.gz" ]; then exec gzip -dc "$directory/$name.gz" > "$path"; fi
        for folder; do
            [ ! -e "$folder/$name" ] || exec cp -- "$folder/$name" "$path"
        done
        exit 1

        """

    /// From a recovered cluster's own folder, which goes, into the archive.
    static let publishScript = """
        set -eu
        umask 077
        for path in "$1"/*; do
            name=${path##*/}
            if [ -e "$path" ] && [ ! -e "$2/$name" ]; then
                cp -p -- "$path" "$2/.$name"
                sync "$2/.$name"
                ln -- "$2/.$name" "$2/$name"
                rm -f -- "$2/.$name"
            fi
        done
        sync "$2"
        rm -rf -- "$1"
        """

    /// `scripts`: the folder that they are in.
    func options(scripts: String) -> [String] {
        [
            "archive_mode=on", "archive_timeout=\(max(1, timeout.components.seconds))",
            "archive_command=/bin/sh \(Self.argument(scripts + "/archive-wal")) \(Self.argument(directory)) \"%p\" \"%f\"",
        ]
    }

    /// `before`: folders of the clusters' log that were there before, for what is not in the archive.
    func restoreOption(scripts: String, before: [String]) -> String {
        "restore_command=/bin/sh \(Self.argument(scripts + "/restore-wal")) \(Self.argument(directory)) \"%f\" \"%p\""
            + before.map { " " + Self.argument($0) }.joined()
    }

    /// The timeline on which the database was at a time: the newest that had begun by then, by when its history was archived;
    /// nil: the first. Blocks on the disk.
    package func timeline(at seconds: Int) -> Int? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.compactMap { name -> Int? in
            guard let match = name.wholeMatch(of: #/([0-9A-F]{8})\.history\.(zst|gz)/#) else { return nil }
            var status = stat()
            guard stat("\(directory)/\(name)", &status) == 0, status.st_mtim.tv_sec <= seconds else { return nil }
            return Int(match.output.1, radix: 16)
        }.max()
    }

    /// One word for the shell, in which PostgreSQL leaves the signs of per cent alone.
    private static func argument(_ text: String) -> String {
        "'" + text.replacing("'", with: "'\\''").replacing("%", with: "%%") + "'"
    }
}

extension WALArchive {
    /// Files of the log in a folder, without what comes behind the name: `000000010000000000000005.zst` is one, as
    /// `00000002.history` is not.
    package static func segment(ofFile name: String) -> String? {
        let stem = name.prefix { $0 != "." }
        return stem.utf8.count == 24 && stem.allSatisfy(\.isHexDigit) ? String(stem) : nil
    }

    /// Whether a segment is older than `first`, whatever timeline either is of.
    package static func isOlder(_ segment: String, than first: String) -> Bool {
        segment.dropFirst(8) < first.dropFirst(8)
    }
}
