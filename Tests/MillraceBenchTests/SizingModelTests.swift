import Testing

@testable import MillraceBench

struct SizingModelTests {
    private let measure = SizingMeasure(
        events: 100_000, rowsPerSecond: 10_000, cores: 2, lineBytes: 330, daemonSecondsPerMillion: 5,
        daemonMemoryBytes: 50 << 20, tableBytes: 300, indexBytes: 100, otherBytes: 20, walBytes: 700)

    private func value(_ name: String, _ need: SizingNeed) throws -> (value: Double, basis: SizingModel.Basis) {
        let lines = SizingModel(measure: measure, need: need).lines
        let line = try #require(lines.first { $0.name == name }, "\(lines.map(\.name))")
        #expect(!line.formula.isEmpty)
        return (line.value, line.basis)
    }

    private let small = SizingNeed(rate: 1000, peak: 3500, months: 11, outageHours: 12, retainHours: 1)
    private let large = SizingNeed(rate: 20_000, peak: 70_000, months: 11, outageHours: 1, retainHours: 24)

    @Test func `a load that this machine carried is measured, a larger one is extrapolated`() throws {
        #expect(try value("load of a machine like this at the peak", small) == (50, .measured))
        #expect(try value("processors in all", small) == (1, .measured))
        #expect(try value("PostgreSQL servers", small) == (1, .measured))
        #expect(try value("load of a machine like this at the peak", large) == (1000, .extrapolated))
        #expect(try value("processors in all", large) == (20, .extrapolated))
        #expect(try value("PostgreSQL servers", large) == (10, .extrapolated))
        #expect(try value("of these, the daemon", large) == (0.35, .extrapolated))
        #expect(try value("daemons", large).value == 1)
    }

    @Test func `disk is rows times bytes times months, the spool's by the longer of outage and retention`() throws {
        let month = 1000 * SizingModel.secondsPerMonth
        #expect(try value("disk for events", small).value == month * 400 * 12)
        #expect(try value("disk for the rest", small).value == month * 20 * 12)
        #expect(try value("memory of PostgreSQL, at least", small).value == month * 100 * 1.25)
        #expect(try value("disk for the spool", small).value == 3500 * 330 * 12 * 3600)
        #expect(try value("disk for the spool", large).value == 70_000 * 330 * 24 * 3600)
        #expect(try value("write-ahead log a day", small).value == 1000 * 700 * 86_400)
        #expect(try value("disk for events", small).basis == .extrapolated)
    }

    @Test func `what a run cost is what grew meanwhile, for each row`() {
        let before = SizingSample(
            tableBytes: 1000, indexBytes: 500, databaseBytes: 10_000, walBytes: 5000, processorSeconds: 2,
            residentBytes: 1)
        var after = SizingSample(
            tableBytes: 31_000, indexBytes: 10_500, databaseBytes: 52_000, walBytes: 75_000, processorSeconds: 2.5,
            residentBytes: 7)
        func measure() -> SizingMeasure {
            SizingMeasure(from: before, to: after, rows: 100, rowsPerSecond: 50, lineBytes: 330, cores: 2)
        }
        #expect(
            measure()
                == SizingMeasure(
                    events: 100, rowsPerSecond: 50, cores: 2, lineBytes: 330, daemonSecondsPerMillion: 5000,
                    daemonMemoryBytes: 7, tableBytes: 300, indexBytes: 100, otherBytes: 20, walBytes: 700))
        // A vacuum meanwhile, a daemon that began anew, a server that does not tell.
        after.tableBytes = 0
        after.processorSeconds = 0
        after.walBytes = nil
        #expect(measure().tableBytes == 0 && measure().daemonSecondsPerMillion == 0 && measure().walBytes == nil)
    }

    @Test func `the report names each need, whether it was measured, and how`() {
        let text = SizingReport(SizingModel(measure: measure, need: small)).text
        for line in SizingModel(measure: measure, need: small).lines {
            #expect(text.contains(line.name) && text.contains(line.formula))
        }
        #expect(text.contains("for 1,000 events/s, 3,500 at the peak, 11 months:"))
        #expect(text.contains("measured") && text.contains("extrapolated"))
    }
}
