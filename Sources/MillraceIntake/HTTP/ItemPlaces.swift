internal import Algorithms

/// Which items of a body a submission's lines are: rejected items lie between them.
struct ItemPlaces: Equatable {
    private struct Run: Equatable {
        /// The first line's number in the submission, from 0.
        var line: Int
        /// Of its item.
        var index: Int
    }

    /// Lines without a rejected item between them.
    private var runs: [Run] = []
    private var count = 0

    init() {}

    /// The next line is the item of this index.
    mutating func append(_ index: Int) {
        if runs.last.map({ index - $0.index != count - $0.line }) ?? true {
            runs.append(Run(line: count, index: index))
        }
        count += 1
    }

    /// Of the line with this number in the submission.
    func index(ofLine line: Int) -> Int {
        // The last run that begins at the line or before; the first one begins with line 0.
        guard let run = runs[..<runs.partitioningIndex { $0.line > line }].last else { return line }
        return run.index + line - run.line
    }
}
