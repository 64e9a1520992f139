internal import Histogram

/// A range of values that are counted together, and how many there were.
struct HistogramSlot: Equatable {
    /// Place in the array of counts.
    let index: Int
    let values: ClosedRange<UInt64>
    let count: UInt64

    /// The middle of the range, rounded up, as HdrHistogram's means take it.
    var median: Double { Double(values.lowerBound) + Double(values.count / 2) }
}

/// Reading without the package's iterators: those add up `count × value` in 64 bits and trap when it does not fit, as
/// after some billions of lines that waited for a database for an hour.
extension LatencyHistogram {
    /// The slots that have counts, ascending.
    func recordedSlots() -> [HistogramSlot] {
        guard totalCount > 0 else { return [] }
        var slots: [HistogramSlot] = []
        let layout = HistogramLayout(self)
        for index in layout.index(of: min)...layout.index(of: maxRecorded) {
            let values = layout.values(at: index)
            let count = countForValue(values.lowerBound)
            if count > 0 { slots.append(HistogramSlot(index: index, values: values, count: count)) }
        }
        return slots
    }
}

extension [HistogramSlot] {
    var totalCount: UInt64 { reduce(0) { $0 + $1.count } }

    /// Of the recorded values; 0 when there are none.
    var mean: Double {
        isEmpty ? 0 : reduce(0) { $0 + $1.median * Double($1.count) } / Double(totalCount)
    }

    /// Of the recorded values; 0 when there are none.
    var standardDeviation: Double {
        guard !isEmpty else { return 0 }
        let mean = mean
        let squares = reduce(0) { $0 + ($1.median - mean) * ($1.median - mean) * Double($1.count) }
        return (squares / Double(totalCount)).squareRoot()
    }
}
