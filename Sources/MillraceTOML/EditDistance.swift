/// How many letters must be added, removed, replaced or swapped with their neighbour to get from one word to another.
package enum EditDistance {
    /// In letters (UTF-8 bytes).
    package static func between(_ first: String, _ second: String) -> Int {
        let first = Array(first.utf8)
        let second = Array(second.utf8)
        var beforePrevious: [Int] = []
        var previous = Array(0...second.count)
        for row in first.indices {
            var current = [row + 1]
            for column in second.indices {
                let isSame = first[row] == second[column]
                var least = min(previous[column] + (isSame ? 0 : 1), previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
                    least = min(least, beforePrevious[column - 1] + 1)
                }
                current.append(least)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[second.count]
    }

    /// The candidate with the least distance; the first of several.
    package static func nearest<Candidate>(
        to word: String, among candidates: [Candidate], by name: (Candidate) -> String
    ) -> Candidate? {
        candidates.min { between(word, name($0)) < between(word, name($1)) }
    }
}
