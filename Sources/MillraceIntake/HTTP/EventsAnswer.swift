internal import MillraceEvent

/// Gathers what `POST /v1/events` answers.
struct EventsAnswer {
    private struct Rejection {
        var index: Int
        var code: String
        var message: String
    }

    private var rejections: [Rejection] = []
    private let rejectedItemsMax: Int
    /// Items rejected, also those that the answer does not name.
    private(set) var rejectedTotal = 0
    var accepted = 0
    var duplicates = 0
    var deadLetters = 0
    /// Nil when nobody waits for a commit; false when one could not be waited for.
    var isCommitted: Bool?

    init(rejectedItemsMax: Int) {
        self.rejectedItemsMax = rejectedItemsMax
    }

    mutating func reject(_ index: Int, _ refusal: Refusal) {
        rejectedTotal += 1
        guard rejections.count < rejectedItemsMax else { return }
        rejections.append(Rejection(index: index, code: refusal.code.rawValue, message: refusal.message))
    }

    /// The body broke: what comes from `index` on is not taken. `rejectedBefore`: items rejected before it.
    mutating func cutShort(at index: Int, rejectedBefore: Int, _ problem: HTTPProblem) {
        rejections.removeAll { $0.index >= index }
        rejectedTotal = rejectedBefore + 1
        rejections.append(
            Rejection(
                index: index, code: problem.code.rawValue,
                message: "this item and what follows was not taken: " + problem.message))
    }

    /// The answer once everything is settled.
    func answer() -> HTTPAnswer {
        guard accepted > 0 || rejectedTotal == 0 else { return nothingAccepted() }
        var text = JSONText("{")
        appendCounts(&text)
        text.append(raw: "}")
        return HTTPAnswer(status: isCommitted == true ? 200 : 202, body: text.bytes)
    }

    private func nothingAccepted() -> HTTPAnswer {
        var text = JSONText("{\"error\":")
        if let only = rejections.first, rejectedTotal == 1 {
            text.append(code: only.code, message: only.message)
        } else {
            text.append(
                code: HTTPProblem.Code.nothingAccepted.rawValue,
                message: "none of the \(rejectedTotal) items was acceptable; see rejected")
        }
        text.append(raw: ",")
        appendCounts(&text)
        text.append(raw: "}")
        return HTTPAnswer(status: 400, body: text.bytes)
    }

    private func appendCounts(_ text: inout JSONText) {
        text.append(raw: "\"accepted\":")
        text.append(accepted)
        if isCommitted == true {
            text.append(raw: ",\"duplicates\":")
            text.append(duplicates)
            if deadLetters > 0 {
                text.append(raw: ",\"dead_letters\":")
                text.append(deadLetters)
            }
        }
        text.append(raw: ",\"rejected\":[")
        for (position, rejection) in rejections.enumerated() {
            if position > 0 { text.append(raw: ",") }
            text.append(raw: "{\"index\":")
            text.append(rejection.index)
            text.append(raw: ",\"error\":")
            text.append(code: rejection.code, message: rejection.message)
            text.append(raw: "}")
        }
        text.append(raw: "]")
        if rejectedTotal > rejections.count {
            text.append(raw: ",\"rejected_total\":")
            text.append(rejectedTotal)
        }
    }
}
