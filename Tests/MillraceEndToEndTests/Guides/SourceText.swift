import FoundationEssentials

/// The sources as text, for tests that compare pages with them.
enum SourceText {
    /// The Swift files below a folder of the repository.
    static func swift(under folder: String) -> [String] {
        let root = "\(Repository.root)/\(folder)"
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: root)) ?? []
        return names.filter { $0.hasSuffix(".swift") }.sorted().map { TextFile.read("\(root)/\($0)") }
    }

    /// Every code that the sources give an error, a refusal or a dead letter.
    static var errorCodes: Set<String> {
        var codes: Set<String> = []
        for text in swift(under: "Sources") {
            var isInEnum = false
            for line in text.split(separator: "\n") {
                if line.contains(": String"), line.contains(#/enum (?:\w*Code|\w*Refusal|\w*Error)\b/#) {
                    isInEnum = true
                } else if isInEnum, let match = line.wholeMatch(of: #/ +case ([a-zA-Z]+)(?: = "([a-z_]+)")?/#) {
                    codes.insert(String(match.output.2 ?? match.output.1))
                } else if line.wholeMatch(of: #/ *\}/#) != nil || line.contains(" var ") || line.contains(" init") {
                    isInEnum = false
                }
                // What such a case is called is no code itself.
                if line.contains("ode"), !line.contains(" case "),
                    let match = line.firstMatch(of: #/(?:code: |Code = )"([a-z_]+)"/#)
                {
                    codes.insert(String(match.output.1))
                }
            }
            guard text.contains("APIProblem") || text.contains("RecordRefusal") else { continue }
            for match in text.matches(of: #/(?:APIProblem\(\s*\.\w+,|unavailable\(|RecordRefusal\()\s*"([a-z_]+)"/#) {
                codes.insert(String(match.output.1))
            }
        }
        return codes
    }
}
