internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes

/// Builds the answer of `POST /v1/events` item by item.
struct EventsAnswer {
    /// The whole text when the body was one event and it was accepted: most requests are such, so it is made once.
    private static let oneAccepted = {
        var items = AcceptedEvents()
        items.accepted = 1
        return items.json
    }()

    private var rejections: [AcceptedEvents.Rejection] = []
    private let rejectedItemsMax: Int
    /// All rejected items, including those that the answer doesn't name.
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
        rejections.append(
            AcceptedEvents.Rejection(index: index, code: refusal.code.rawValue, message: refusal.message))
    }

    /// The body broke: items from `index` on are not accepted. `rejectedBefore`: items rejected before it.
    mutating func cutShort(at index: Int, rejectedBefore: Int, _ problem: HTTPProblem) {
        rejections.removeAll { $0.index >= index }
        rejectedTotal = rejectedBefore + 1
        rejections.append(
            AcceptedEvents.Rejection(
                index: index, code: problem.code.rawValue,
                message: "this item and what follows was not taken: " + problem.message))
    }

    /// The answer, once every item was rejected or its submission has ended.
    func answer() -> HTTPAnswer {
        if accepted == 1, rejectedTotal == 0, isCommitted != true {
            return HTTPAnswer(status: 202, body: Self.oneAccepted)
        }
        var items = AcceptedEvents()
        items.accepted = accepted
        items.rejected = rejections
        if isCommitted == true {
            items.duplicates = duplicates
            if deadLetters > 0 { items.deadLetters = deadLetters }
        }
        if rejectedTotal > rejections.count { items.rejectedTotal = rejectedTotal }
        guard accepted == 0, rejectedTotal > 0 else {
            return HTTPAnswer(status: isCommitted == true ? 200 : 202, body: items.json)
        }
        let all = ErrorAnswer.Detail(
            code: HTTPProblem.Code.nothingAccepted.rawValue,
            message: "none of the \(rejectedTotal) items was acceptable; see rejected")
        let error = rejectedTotal == 1 ? rejections.first?.error ?? all : all
        return HTTPAnswer(status: 400, body: RefusedEvents(error: error, items: items).json)
    }
}
