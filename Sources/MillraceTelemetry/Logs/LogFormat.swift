/// How log lines look. Raw value = `log.format`.
package enum LogFormat: String, Sendable, CaseIterable {
    case text
    case json
}
