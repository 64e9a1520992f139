/// One thing that must hold, and whether it does.
struct CheckResult: Encodable, Equatable {
    var name: String
    var ok: Bool
    /// What was found.
    var detail: String
    /// What to do about it; nil when all is well.
    var mend: String?

    init(_ name: String, ok: Bool, detail: String, mend: String) {
        self.name = name
        self.ok = ok
        self.detail = detail
        self.mend = ok ? nil : mend
    }

    /// For people.
    var text: String {
        "\(ok ? "ok  " : "FAIL")  \(name): \(detail)" + (mend.map { "\n      \($0)" } ?? "")
    }
}
