internal import Benchmark
internal import MillraceEvent
internal import MillraceWriter

/// What one iteration is, the name says. Instructions are shown where the kernel counts them.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput, .instructions], maxDuration: .seconds(3))

    Benchmark("parse and validate, 10 000 events") { benchmark in
        let parser = EventParser()
        SampleLines.padded.withUnsafeBytes { bytes in
            benchmark.startMeasurement()
            for range in SampleLines.ranges {
                let line = UnsafeRawBufferPointer(rebasing: bytes[range])
                do {
                    blackHole(
                        try parser.validate(line, limits: SampleLines.limits, receivedAt: SampleLines.receivedAt))
                } catch {
                    benchmark.error("\(error)")
                }
            }
            benchmark.stopMeasurement()
        }
    }

    for (name, paths, wanted) in [
        ("2 paths encrypted", ["payload.page.path", "payload.sid"], SampleLines.count),
        ("2 paths listed that no line has", ["payload.page.email", "payload.card"], 0),
    ] {
        Benchmark("parse, \(name), 10 000 events") { benchmark in
            let parser = EventParser()
            var out: [UInt8] = []
            do {
                guard let fields = try FieldSample.encrypting(paths) else { return benchmark.error("no fields") }
                benchmark.startMeasurement()
                let changed = try FieldSample.treat(by: fields, parser, into: &out)
                benchmark.stopMeasurement()
                if changed != wanted { benchmark.error("\(changed) lines changed") }
            } catch {
                benchmark.error("\(error)")
            }
        }
    }

    Benchmark("COPY encode, 10 000 events") { benchmark in
        let encoder = BatchEncoder()
        let header = RecordHeader(of: SampleLines.record, firstSequence: 1)
        SampleLines.padded.withUnsafeBytes { bytes in
            let payload = UnsafeRawBufferPointer(rebasing: bytes[..<header.payloadBytes])
            benchmark.startMeasurement()
            encoder.reset(batchID: 1, spoolID: UniqueID(high: 1, low: 2))
            do {
                try encoder.add(header, payload: payload)
            } catch {
                benchmark.error("\(error)")
            }
            benchmark.stopMeasurement()
        }
        guard encoder.rejections.isEmpty, encoder.leaves.reduce(0, { $0 + $1.count }) == SampleLines.count else {
            return benchmark.error("not all lines were encoded")
        }
    }

    Benchmark("CRC32C, 1 MiB", configuration: .init(scalingFactor: .kilo)) { benchmark in
        let bytes = [UInt8](repeating: 0xA5, count: 1 << 20)
        bytes.withUnsafeBytes { bytes in
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(Checksum.crc32c(bytes)) }
            benchmark.stopMeasurement()
        }
    }

    Benchmark("TCP lines to records, 10 000 events") { benchmark in
        try await LineIntake.use { intake in
            try await intake.send(SampleLines.record.bytes, count: SampleLines.count)
            benchmark.startMeasurement()
            try await intake.send(SampleLines.record.bytes, count: SampleLines.count)
            benchmark.stopMeasurement()
        }
    }

    Benchmark("spool append, a group of 10 000 events") { benchmark in
        try await SpoolTarget.use { spool in
            await spool.append(SampleLines.record)
            benchmark.startMeasurement()
            await spool.append(SampleLines.record)
            benchmark.stopMeasurement()
        }
    }
}
