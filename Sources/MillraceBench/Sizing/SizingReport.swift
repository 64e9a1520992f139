internal import MillraceConsole

/// What `millrace bench --plan` says.
struct SizingReport: Encodable {
    var need: SizingNeed
    var measured: SizingMeasure
    var plan: [SizingModel.Line]

    init(_ model: SizingModel) {
        need = model.need
        measured = model.measure
        plan = model.lines
    }

    /// For people.
    var text: String {
        let run = [
            "measured on this machine, flat out, sender, daemon and PostgreSQL beside each other on "
                + "\(measured.cores) processors:",
            "\(Format.count(measured.events)) events, \(Format.count(Int(measured.rowsPerSecond))) rows/s; "
                + "a line has \(Int(measured.lineBytes)) B, a row \(Int(measured.tableBytes)) B and "
                + "\(Int(measured.indexBytes)) B of indexes, \(Int(measured.otherBytes)) B elsewhere"
                + (measured.walBytes.map { ", \(Int($0)) B of log" } ?? "")
                + "; the daemon took \(Format.decimal(measured.daemonSecondsPerMillion)) s of processor for a million",
        ]
        let heading =
            "for \(Format.count(Int(need.rate))) events/s, \(Format.count(Int(need.peak))) at the peak, "
            + "\(need.months) months:"
        let rows = plan.map { [$0.name, Self.value($0), $0.basis.rawValue, $0.formula] }
        return (run + ["", heading, Format.table([["", "need", "basis", "how"]] + rows)]).joined(separator: "\n")
    }

    private static func value(_ line: SizingModel.Line) -> String {
        switch line.unit {
        case "bytes": Format.bytes(Int(min(line.value, 1e18)))
        case "percent": "\(Format.decimal(line.value)) %"
        default: line.value == line.value.rounded() ? Format.count(Int(line.value)) : Format.decimal(line.value)
        }
    }
}
