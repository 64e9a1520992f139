internal import MillraceTreatment

/// The file of `rules.file`, where there is one.
struct RulesFileCheck {
    let path: String

    func run() -> [CheckResult] {
        guard !path.isEmpty else { return [] }
        do throws(RulesErrors) {
            let count = try RulesFile(path: path).definitions.count
            return [CheckResult("rules.file", ok: true, detail: "\(path): \(count) rules", fix: "")]
        } catch {
            return error.errors.map { wrong in
                CheckResult(
                    "rules.file", ok: false, detail: "\(wrong)",
                    fix: "Correct it there; `millrace rules check` reads it.")
            }
        }
    }
}
