import Foundation
import MillraceTestSupport
import Testing

@testable import MillraceTelemetry

/// The alerts and the dashboard in `Sources/millrace/Monitoring`.
@Suite(.onOwnThreads) struct MonitoringTests {
    private static let directory: URL = {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return URL(filePath: "/\(root)/Sources/millrace/Monitoring")
    }()

    private struct Dashboard: Decodable {
        struct Panel: Decodable {
            struct Target: Decodable { var expr: String }
            struct Place: Decodable { var x, y, w, h: Int }
            var id: Int
            var title: String
            var type: String
            var gridPos: Place
            var targets: [Target]?
        }
        var panels: [Panel]

        static func read() throws -> Dashboard {
            let data = try Data(contentsOf: directory.appending(path: "grafana.json"))
            return try JSONDecoder().decode(Dashboard.self, from: data)
        }
    }

    private static func promtool(_ arguments: String..., in directory: URL = directory) throws -> (Int32, String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["promtool"] + arguments
        process.currentDirectoryURL = directory
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test func `each alert has tests in which it fires, and none fires in a quiet series`() throws {
        let (checked, found) = try Self.promtool("check", "rules", "millrace.rules.yml")
        #expect(checked == 0, "\(found)")
        let (tested, report) = try Self.promtool("test", "rules", "millrace.rules.test.yml")
        #expect(tested == 0, "\(report)")
        let rules = try String(contentsOf: Self.directory.appending(path: "millrace.rules.yml"), encoding: .utf8)
        let tests = try String(contentsOf: Self.directory.appending(path: "millrace.rules.test.yml"), encoding: .utf8)
        let names = rules.matches(of: #/alert: (\w+)/#).map { String($0.output.1) }
        #expect(names.count >= 9)
        for name in names { #expect(tests.contains(name), "no test has \(name) fire") }
    }

    @Test func `alerts and panels ask for metrics that the daemon has`() throws {
        let names = Set(MetricName.allCases.map(\.rawValue))
        for file in ["millrace.rules.yml", "millrace.rules.test.yml", "grafana.json"] {
            let text = try String(contentsOf: Self.directory.appending(path: file), encoding: .utf8)
            let used = Set(text.matches(of: #/millrace_[a-z_]+/#).map { String($0.output) })
            #expect(!used.isEmpty)
            for name in used {
                let series = name.replacing(#/_(bucket|sum|count)$/#, with: "")
                #expect(names.contains(name) || names.contains(series), "\(file) asks for \(name)")
            }
        }
    }

    @Test func `the dashboard's expressions are PromQL, and its panels do not overlap`() throws {
        let panels = try Dashboard.read().panels
        #expect(Set(panels.map(\.id)).count == panels.count)
        var rules = "groups:\n- name: panels\n  rules:\n"
        var count = 0
        for panel in panels {
            for target in panel.targets ?? [] {
                let expression = target.expr.replacing("$__rate_interval", with: "5m").replacing("$job", with: ".*")
                    .replacing("$instance", with: ".*")
                count += 1
                rules += "  - record: panel:\(count)\n    expr: '\(expression)'\n"
            }
        }
        #expect(count >= panels.count(where: { $0.type != "row" }))
        let scratch = try ScratchDirectory()
        let file = URL(filePath: scratch.path).appending(path: "panels.yml")
        try Data(rules.utf8).write(to: file)
        let (status, report) = try Self.promtool("check", "rules", file.path)
        #expect(status == 0, "\(report)")
        for (index, panel) in panels.enumerated() {
            let place = panel.gridPos
            #expect(place.x >= 0 && place.x + place.w <= 24, "\(panel.title)")
            for other in panels.dropFirst(index + 1) {
                let beside =
                    place.x + place.w <= other.gridPos.x || other.gridPos.x + other.gridPos.w <= place.x
                    || place.y + place.h <= other.gridPos.y || other.gridPos.y + other.gridPos.h <= place.y
                #expect(beside, "\(panel.title) and \(other.title)")
            }
        }
    }
}
