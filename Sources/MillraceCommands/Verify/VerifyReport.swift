internal import MillraceConsole

/// What `millrace verify` found.
struct VerifyReport: Encodable {
    /// One line of the conservation law: received = committed + duplicate + dead + refused + in spool (+ lost).
    struct Kind: Encodable, Equatable {
        var kind: String
        var committed = 0
        var duplicate = 0
        var dead = 0
        var refused = 0
        /// Durable in this host's spool and not yet in the ledger.
        var inSpool = 0

        var received: Int { committed + duplicate + dead + refused + inSpool }

        private enum CodingKeys: CodingKey {
            case kind, received, committed, duplicate, dead, refused, inSpool
        }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(kind, forKey: .kind)
            try values.encode(received, forKey: .received)
            try values.encode(committed, forKey: .committed)
            try values.encode(duplicate, forKey: .duplicate)
            try values.encode(dead, forKey: .dead)
            try values.encode(refused, forKey: .refused)
            try values.encode(inSpool, forKey: .inSpool)
        }
    }

    var ok: Bool { checks.allSatisfy(\.ok) }
    var checks: [CheckResult] = []
    var conservation: [Kind] = []
    var spools: [SpoolSummary] = []
    /// What is right by the account, and still worth knowing.
    var notes: [String] = []
    /// Whether a part was not looked at; a note says which.
    var isPartial = false
    var seconds = 0.0

    private enum CodingKeys: CodingKey {
        case ok, isPartial, checks, conservation, spools, notes, seconds
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(ok, forKey: .ok)
        try values.encode(isPartial, forKey: .isPartial)
        try values.encode(checks, forKey: .checks)
        try values.encode(conservation, forKey: .conservation)
        try values.encode(spools, forKey: .spools)
        try values.encode(notes, forKey: .notes)
        try values.encode(seconds, forKey: .seconds)
    }

    /// For people.
    var text: String {
        var lines: [String] = []
        for check in checks { lines.append(check.text) }
        for note in notes { lines.append("note  \(note)") }
        lines.append("")
        let header = ["kind", "received", "=", "committed", "duplicate", "dead", "refused", "in spool"]
        let rows = conservation.map { kind in
            [kind.kind, Format.count(kind.received), "="]
                + [kind.committed, kind.duplicate, kind.dead, kind.refused, kind.inSpool].map(Format.count)
        }
        lines.append(Format.table([header] + rows))
        lines.append("")
        lines.append(
            ok
                ? "nothing lost, nothing twice\(isPartial ? " in what was looked at" : "")"
                : "\(checks.count { !$0.ok }) checks failed")
        return lines.joined(separator: "\n")
    }
}

/// One spool as the ledger knows it.
struct SpoolSummary: Encodable, Equatable {
    var spoolId: String
    var batches: Int
    var firstSequence: UInt64
    /// The last one in the ledger.
    var lastSequence: UInt64
    /// Sequences between these two that are not in the ledger: in that host's spool, in flight, or lost.
    var holes: Int
    /// Whether its directory was there to be audited.
    var isLocal: Bool
}
