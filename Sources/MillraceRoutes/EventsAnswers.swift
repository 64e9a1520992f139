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
    package var duplicates: Int?
    package var deadLetters: Int?
    package var rejected: [Rejection] = []
    package var rejectedTotal: Int?

    package init() {}

    package static let name = "Accepted"

    package static let fields: [JSONField<Self>] = [
        JSONField("accepted", \.accepted),
        JSONField("duplicates", optional: \.duplicates, doc: duplicatesDoc),
        JSONField("dead_letters", optional: \.deadLetters, doc: deadLettersDoc),
        JSONField("rejected", \.rejected),
        JSONField("rejected_total", optional: \.rejectedTotal, doc: rejectedTotalDoc),
    ]

    fileprivate static let duplicatesDoc = "With ?ack=committed"
    fileprivate static let deadLettersDoc = "With ?ack=committed, where there are some"
    fileprivate static let rejectedTotalDoc = "Where more were rejected than are listed"
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
        JSONField("duplicates", optional: \.items?.duplicates, doc: AcceptedEvents.duplicatesDoc),
        JSONField("dead_letters", optional: \.items?.deadLetters, doc: AcceptedEvents.deadLettersDoc),
        JSONField("rejected", optional: \.items?.rejected, doc: "When items were looked at"),
        JSONField("rejected_total", optional: \.items?.rejectedTotal, doc: AcceptedEvents.rejectedTotalDoc),
    ]
}
