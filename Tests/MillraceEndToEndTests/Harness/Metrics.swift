/// What a daemon's `/metrics` said.
struct Metrics {
    let text: String

    /// `series`: a name for all of its series together, or one with labels for that one. `label`: only those that hold it.
    /// Nil when there is none.
    func value(_ series: String, _ label: String = "") -> Double? {
        let values = text.split(separator: "\n").filter {
            ($0.hasPrefix(series + " ") || $0.hasPrefix(series + "{")) && $0.contains(label)
        }.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
        return values.isEmpty ? nil : values.reduce(0, +)
    }

    /// As `value`, of what is counted in whole numbers.
    func count(_ series: String, _ label: String = "") -> Int? {
        value(series, label).map { Int($0) }
    }
}

extension DaemonProcess {
    /// `key`: where one is wanted.
    func metrics(key: String? = nil) throws -> Metrics {
        let fields = key.map { [("Authorization", "Bearer \($0)")] } ?? []
        let answer = try HTTPClient(http).request("GET", "/metrics", headers: fields, within: .seconds(30))
        guard answer.status == 200 else { throw UnexpectedAnswer(text: "\(answer.status) \(answer.text)") }
        return Metrics(text: answer.text)
    }

    /// What it holds for clients, in bytes; -1 when it does not say.
    var memoryUsed: Int { (try? metrics())?.count("millrace_memory_used_bytes") ?? -1 }
}
