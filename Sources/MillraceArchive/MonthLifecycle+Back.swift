internal import MillracePostgres

/// Back into the table: load, attach.
extension MonthLifecycle {
    /// Makes the month's table of its archive, in one transaction: whole, or not at all.
    func load(_ record: inout MonthRecord) throws {
        guard let manifest = try knownArchive(of: record) else {
            throw ArchiveError(
                .archiveDamaged,
                "\(record.location ?? "the archive"): its manifest is missing, or is not the one that was verified",
                hint: "Bring the archive back from a backup of it, into archive.directory.")
        }
        let directory = try fetchParts(manifest, of: record)
        let leaf = "public.\(record.relation)"
        var loaded = record
        loaded.state = .attaching
        loaded.error = nil
        try connection.execute("BEGIN")
        do {
            try partitions.makeApart(record.month, of: record.table)
            try ArchiveLoader(connection: connection, timeout: configuration.statementTimeout)
                .load(manifest, from: directory, into: leaf, .loading) { progress($0) }
            let fingerprint = try MonthFingerprint.of(
                leaf, manifest.columns, on: connection, timeout: configuration.statementTimeout)
            guard fingerprint.matches(manifest) else {
                throw ArchiveError(
                    .archiveMismatch, "the archive of \(record.month.label) gives other rows than were archived",
                    hint: "Bring the archive back from a backup of it.")
            }
            try partitions.addKey(to: record.month, of: record.table)
            try connection.execute("ANALYZE \(leaf)", timeout: configuration.statementTimeout)
            try write(loaded, nil)
            try connection.commit()
        } catch {
            rollBack()
            throw error
        }
        record = loaded
        try ArchiveDisk.remove(layout(record).fetching)
    }

    /// Erases what was to be erased since, then makes it a partition; `goal` says whether it takes rows.
    func attach(_ record: inout MonthRecord, _ goal: MonthGoal) throws {
        progress(MonthProgress(step: .attaching))
        let (month, table) = (record.month, record.table)
        let attachment = try partitions.attachment(of: month, in: table)
        switch attachment {
        case .attached: break
        case .pending:
            try withoutRebuilds { try partitions.detach(month, of: table) }
            return
        case .apart:
            // Before others are kept out, since it takes as long as the month is large.
            try partitions.completeIndexes(of: month, in: table, timeout: configuration.statementTimeout)
            try missed.erase(from: "public.\(record.relation)", of: table, on: connection) {
                try withoutRebuilds { try partitions.attach(month, of: table) }
            }
        case .missing:
            throw ArchiveError(
                .monthUnknown, "the table \(record.relation) is gone",
                hint: "`millrace partitions list` shows the months.")
        }
        try missed.settle(in: "public.\(record.relation)", of: table, on: connection)
        var back = record
        back.state = goal == .live ? .live : .restored
        back.goal = goal
        back.isAutomatic = false
        back.closedAt = nil
        back.error = nil
        try connection.transaction { () throws(PostgresError) in
            try connection.query(
                "DELETE FROM public.partition_month_batches WHERE table_name = $1 AND month = $2::date",
                parameters: [.text(table.rawValue), .text(month.firstDay)])
            try write(back, .partitionRestore)
        }
        record = back
    }
}
