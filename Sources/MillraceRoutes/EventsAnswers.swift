package import MillraceJSON

/// What `POST /v1/events` answers once the accepted items are durable.
package struct AcceptedEvents: JSONShape {
    package struct Rejection: JSONShape {
        /// Of the item in the body, from 0.
        package var index: Int
        package var error: ErrorAnswer.Detail

        package init(index: Int, code: String, message: String) {
            self.index = index
            error = ErrorAnswer.Detail(code: code, message: message)
        }

        package static let fields: [JSONField<Self>] = [
            JSONField("index", \.index), JSONField("error", \.error),
        ]
    }

    package var accepted = 0
    package var position: String?
    package var sampledOut: Int?
    package var duplicates: Int?
    package var rejected: [Rejection] = []
    package var rejectedTotal: Int?
    package var parked: [ParkedItem]?
    package var parkedTotal: Int?
    package var deadLetters: [DeadItem]?
    package var deadLettersTotal: Int?

    package init() {}

    package static let name = "Accepted"

    package static let fields: [JSONField<Self>] = [
        JSONField("accepted", \.accepted),
        JSONField("sampled_out", optional: \.sampledOut, doc: sampledOutDoc),
        JSONField("position", optional: \.position, doc: positionDoc),
        JSONField("duplicates", optional: \.duplicates, doc: duplicatesDoc),
        JSONField("rejected", \.rejected),
        JSONField("rejected_total", optional: \.rejectedTotal, doc: rejectedTotalDoc),
        JSONField("parked", optional: \.parked, doc: parkedDoc),
        JSONField("parked_total", optional: \.parkedTotal, doc: "Where more are parked than are listed"),
        JSONField("dead_letters", optional: \.deadLetters, doc: deadLettersDoc),
        JSONField("dead_letters_total", optional: \.deadLettersTotal, doc: "Where there are more than are listed"),
    ]

    package static let positionDoc = "With ?position=true: what `after` of routes that read takes"
    private static let sampledOutDoc = "Of the accepted items, those that a rule samples out, which are kept nowhere"
    private static let duplicatesDoc = "With ?ack=committed: accepted items whose row was there already"
    fileprivate static let rejectedTotalDoc = "Where more were rejected than are listed"
    private static let parkedDoc =
        "With ?ack=committed: accepted items that are stored and that a projection lacks, once for each of its folds"
    private static let deadLettersDoc =
        "With ?ack=committed: accepted items that the database refuses, which are in dead_letters and in no table"
}

/// What `POST /v1/events` answers when it takes nothing; `items` when they were looked at.
package struct RefusedEvents: JSONShape {
    package var error: ErrorAnswer.Detail
    package var items: AcceptedEvents?

    package init(error: ErrorAnswer.Detail, items: AcceptedEvents? = nil) {
        self.error = error
        self.items = items
    }

    package static let name = "Refused"

    package static let fields: [JSONField<Self>] = [
        JSONField("error", \.error),
        JSONField("accepted", optional: \.items?.accepted, doc: "0, when items were looked at"),
        JSONField("rejected", optional: \.items?.rejected, doc: "When items were looked at"),
        JSONField("rejected_total", optional: \.items?.rejectedTotal, doc: AcceptedEvents.rejectedTotalDoc),
    ]
}
