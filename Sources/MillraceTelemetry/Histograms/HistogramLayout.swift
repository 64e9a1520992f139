internal import Histogram

/// How HdrHistogram lays its counts out: bucket `k` has `subBucketCount` slots of `2^k` units each, of which all but
/// bucket 0 use the upper half only.
struct HistogramLayout {
    /// log2 of the width of a slot in bucket 0.
    let unitMagnitude: Int
    /// A power of two.
    let subBucketCount: Int
    let bucketCount: Int

    init(_ histogram: LatencyHistogram) {
        unitMagnitude = UInt64.bitWidth - 1 - histogram.lowestDiscernibleValue.leadingZeroBitCount
        var singleUnitMax = 2
        for _ in 0..<histogram.numberOfSignificantValueDigits.rawValue { singleUnitMax *= 10 }
        subBucketCount = 1 << max(1, Int.bitWidth - (singleUnitMax - 1).leadingZeroBitCount)
        var buckets = 1
        var untrackable = UInt64(subBucketCount) << UInt64(unitMagnitude)
        while untrackable <= histogram.highestTrackableValue {
            buckets += 1
            let (doubled, isTooLarge) = untrackable.multipliedReportingOverflow(by: 2)
            if isTooLarge { break }
            untrackable = doubled
        }
        bucketCount = buckets
    }

    /// Place of `value` in the array of counts.
    func index(of value: UInt64) -> Int {
        let magnitude = subBucketCount.trailingZeroBitCount
        let mask = UInt64(subBucketCount - 1) << UInt64(unitMagnitude)
        let bucket = UInt64.bitWidth - unitMagnitude - magnitude - (value | mask).leadingZeroBitCount
        let subBucket = Int(value >> UInt64(bucket + unitMagnitude))
        return bucket * (subBucketCount / 2) + subBucket
    }

    /// The values that are counted at `index`.
    func values(at index: Int) -> ClosedRange<UInt64> {
        let half = subBucketCount / 2
        let bucket = max(0, index / half - 1)
        let shift = UInt64(bucket + unitMagnitude)
        let lowest = UInt64(index - bucket * half) << shift
        return lowest...lowest + (1 << shift) - 1
    }
}

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
