internal import MillraceConsole

/// What `millrace restore` did.
struct RestoreReport: Encodable {
    var backup: String
    /// The database is as of then.
    var asOf: String
    /// In the tables, by the ledger.
    var rows = 0
    /// Roles that were made, without a password.
    var roles: [String] = []
    /// Segments of the spool that were put back from backups.
    var segments: [UInt64] = []
    /// Where the cluster is that was there before; where the spool is, when it was set aside.
    var kept: [String] = []
    /// Users who are queued to be erased again.
    var erasures = 0
    /// What `millrace verify` says.
    var verification: VerifyReport?
    var notes: [String] = []
    var seconds = 0.0

    var ok: Bool { verification?.ok ?? true }

    private enum CodingKeys: CodingKey {
        case ok, backup, asOf, rows, roles, segments, kept, erasures, verification, notes, seconds
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(ok, forKey: .ok)
        try values.encode(backup, forKey: .backup)
        try values.encode(asOf, forKey: .asOf)
        try values.encode(rows, forKey: .rows)
        try values.encode(roles, forKey: .roles)
        try values.encode(segments, forKey: .segments)
        try values.encode(kept, forKey: .kept)
        try values.encode(erasures, forKey: .erasures)
        try values.encode(verification, forKey: .verification)
        try values.encode(notes, forKey: .notes)
        try values.encode(seconds, forKey: .seconds)
    }

    /// For people.
    var text: String {
        var lines: [String] = []
        if let verification { lines += [verification.text, ""] }
        lines.append(
            "restored \(backup), as of \(asOf): \(Format.count(rows)) rows, in \(Format.duration(.seconds(seconds)))")
        if !segments.isEmpty {
            lines.append(
                "\(Format.count(segments.count)) segments of the spool are back; the daemon writes at its start what the database lacks"
            )
        }
        for path in kept { lines.append("kept what was there before: \(path)") }
        for role in roles {
            lines.append(
                "made the role \(role), without LOGIN and password: ALTER ROLE \"\(role)\" LOGIN, \\password \(role)")
        }
        for note in notes { lines.append("note  \(note)") }
        return lines.joined(separator: "\n")
    }
}
