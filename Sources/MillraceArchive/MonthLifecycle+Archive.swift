internal import Crypto
internal import MillraceEvent
internal import MillracePostgres

/// An archive and its files, in a directory or behind a command.
extension MonthLifecycle {
    private var shell: ArchiveShell { ArchiveShell(configuration: configuration, interrupt: connection.interrupt) }

    /// Writes it, and has the command take it. Sets what the record says of an archive.
    func writeArchive(of record: inout MonthRecord) throws -> ArchiveManifest {
        let layout = layout(record)
        let writer = ArchiveWriter(
            connection: connection, configuration: configuration, layout: layout, version: version)
        try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        let written: (manifest: ArchiveManifest, bytes: [UInt8])
        do {
            written = try writer.write("public.\(record.relation)") { progress($0) }
            try connection.commit()
        } catch {
            rollBack()
            // A full disk gets its room back; what was thrown says the rest.
            try? ArchiveDisk.remove(layout.writing)
            throw error
        }
        if !configuration.command.isEmpty {
            let files = written.manifest.parts.map(\.file) + [ArchiveLayout.manifestName]
            for (index, file) in files.enumerated() {
                progress(MonthProgress(step: .sending, rows: index, of: files.count))
                try shell.run(
                    configuration.command, "command", file: "\(layout.path)/\(file)", name: "\(layout.name)/\(file)")
            }
        }
        record.location = configuration.command.isEmpty ? layout.path : layout.name
        record.archiveHost = HostName.current
        record.archiveBytes = written.manifest.compressedBytes
        record.manifestSHA256 = SHA256.hash(data: written.bytes).hexadecimal
        record.archivedAt = try connection.execute("SELECT now()::text").string(0, 0)
        return written.manifest
    }

    /// The manifest that the record names; nil where there is none, or another one.
    func knownArchive(of record: MonthRecord) throws -> ArchiveManifest? {
        guard let sum = record.manifestSHA256, let location = record.location else { return nil }
        let path = try directory(of: record, location) + "/" + ArchiveLayout.manifestName
        if !location.hasPrefix("/") { try fetch(ArchiveLayout.manifestName, of: record) }
        guard let bytes = try ArchiveFile.read(path), SHA256.hash(data: bytes).hexadecimal == sum else { return nil }
        return try ArchiveManifest(bytes, at: path, of: record.table, record.month)
    }

    /// Whether what was verified is still there: the files here, or the manifest where a command took them.
    func hasArchive(of record: MonthRecord) throws -> Bool {
        do {
            guard let manifest = try knownArchive(of: record), let location = record.location else { return false }
            guard location.hasPrefix("/") else {
                try removeStaged(record)
                return true
            }
            let directory = try directory(of: record, location)
            return try manifest.parts.allSatisfy { try ArchiveFile.sha256(of: "\(directory)/\($0.file)") == $0.sha256 }
        } catch let error as ArchiveError where error.code == .archiveDamaged {
            return false
        }
    }

    /// Where the files are, or come to. An archive that was moved along with `archive.directory` is found there.
    private func directory(of record: MonthRecord, _ location: String) throws(ArchiveError) -> String {
        let layout = layout(record)
        guard location.hasPrefix("/") else {
            try ArchiveDisk.makeDirectory(layout.fetching)
            return layout.fetching
        }
        return ArchiveDisk.isDirectory(location) ? location : layout.path
    }

    private func fetch(_ file: String, of record: MonthRecord) throws {
        let layout = layout(record)
        guard !configuration.fetchCommand.isEmpty else {
            throw ArchiveError(
                .archiveCommand,
                "the archive of \(record.month.label) was sent away, and archive.fetch_command is not set",
                hint: "Set it to the command that brings a file back: %f to %p.")
        }
        try shell.run(
            configuration.fetchCommand, "fetch_command", file: "\(layout.fetching)/\(file)",
            name: "\(layout.name)/\(file)")
    }

    /// Brings the parts here where they are elsewhere; returns their directory.
    func fetchParts(_ manifest: ArchiveManifest, of record: MonthRecord) throws -> String {
        let location = record.location ?? layout(record).path
        if !location.hasPrefix("/") {
            for (index, part) in manifest.parts.enumerated() {
                progress(MonthProgress(step: .fetching, rows: index, of: manifest.parts.count))
                try fetch(part.file, of: record)
            }
        }
        return try directory(of: record, location)
    }

    /// Loads the archive into a table that nobody else sees. Returns whether that then holds what the manifest says.
    func verifyArchive(_ manifest: ArchiveManifest, of record: MonthRecord) throws -> Bool {
        let directory = try fetchParts(manifest, of: record)
        let relation = "pg_temp.millrace_archived"
        let parent = "public.\(record.table.rawValue)"
        let leaf = try connection.hasRelation("public.\(record.relation)") ? "public.\(record.relation)" : parent
        try connection.execute("BEGIN")
        do {
            try connection.execute("CREATE TEMPORARY TABLE millrace_archived (LIKE \(leaf)) ON COMMIT DROP")
            try ArchiveLoader(connection: connection, timeout: configuration.statementTimeout)
                .load(manifest, from: directory, into: relation, .verifying) { progress($0) }
            let fingerprint = try MonthFingerprint.of(
                relation, manifest.columns, on: connection, timeout: configuration.statementTimeout)
            try connection.commit()
            return fingerprint.matches(manifest)
        } catch let error as ArchiveError where error.code == .archiveDamaged {
            rollBack()
            return false
        } catch {
            rollBack()
            throw error
        }
    }

    /// What is elsewhere by now need not be here.
    func removeStaged(_ record: MonthRecord) throws(ArchiveError) {
        let layout = layout(record)
        try ArchiveDisk.remove(layout.fetching)
        if !configuration.command.isEmpty { try ArchiveDisk.remove(layout.path) }
    }

    /// A connection that can't roll back is of no use any more.
    func rollBack() {
        guard connection.isUsable, connection.transactionStatus != .idle else { return }
        do throws(PostgresError) { try connection.execute("ROLLBACK") } catch { connection.close() }
    }
}
