internal import MillraceChannels
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
    /// In submissions.
    var accepted = 0
    /// Accepted, and in none.
    var sampledOut = 0
    private var duplicates = 0
    private var parked: [ParkedItem] = []
    private var parkedTotal = 0
    private var deadLetters: [DeadItem] = []
    private var deadLettersTotal = 0
    /// Nil when nobody waits for a commit; false when one could not be waited for.
    var isCommitted: Bool?
    /// Makes the answer's `position` of sequences; nil where none is wanted.
    private let position: (@Sendable (ClosedRange<UInt64>) -> String)?
    /// From the first sequence of all submissions to the last one.
    private var sequences: ClosedRange<UInt64>?

    init(rejectedItemsMax: Int, position: (@Sendable (ClosedRange<UInt64>) -> String)? = nil) {
        self.rejectedItemsMax = rejectedItemsMax
        self.position = position
    }

    /// A submission is durable, under these sequences.
    mutating func submitted(_ sequences: Range<UInt64>) {
        guard position != nil, !sequences.isEmpty else { return }
        let last = sequences.upperBound - 1
        self.sequences =
            self.sequences.map { min($0.lowerBound, sequences.lowerBound)...max($0.upperBound, last) }
            ?? sequences.lowerBound...last
    }

    mutating func reject(_ index: Int, _ refusal: Refusal) {
        rejectedTotal += 1
        guard rejections.count < rejectedItemsMax else { return }
        rejections.append(
            AcceptedEvents.Rejection(index: index, code: refusal.code.rawValue, message: refusal.message))
    }

    /// A submission is committed. `index`: of the item in the body that is the submission's so manieth line, from 0.
    mutating func committed(_ sequences: Range<UInt64>, _ lines: CommittedLines, index: (Int) -> Int) {
        isCommitted = isCommitted ?? true
        duplicates += lines.duplicates
        parkedTotal += lines.parked
        deadLettersTotal += lines.dead
        for report in lines.reports {
            let index = index(Int(report.sequence - sequences.lowerBound))
            switch report.fate {
            case .dead:
                guard deadLetters.count < rejectedItemsMax else { continue }
                deadLetters.append(DeadItem(index: index, DeadItem.Detail(report)))
            case .parked(let pack, let fold):
                guard parked.count < rejectedItemsMax else { continue }
                parked.append(ParkedItem(index: index, ParkedItem.Detail(report, pack: pack, fold: fold)))
            }
        }
    }

    /// The body broke: items from `index` on are not accepted. `rejectedBefore`, `sampledOutBefore`: of the items before it.
    mutating func cutShort(at index: Int, rejectedBefore: Int, sampledOutBefore: Int, _ problem: HTTPProblem) {
        rejections.removeAll { $0.index >= index }
        rejectedTotal = rejectedBefore + 1
        sampledOut = sampledOutBefore
        rejections.append(
            AcceptedEvents.Rejection(
                index: index, code: problem.code.rawValue,
                message: "this item and what follows was not taken: " + problem.message))
    }

    /// The answer, once every item was rejected or its submission has ended.
    func answer() -> HTTPAnswer {
        if accepted == 1, sampledOut == 0, rejectedTotal == 0, isCommitted != true, parkedTotal == 0,
            deadLettersTotal == 0, position == nil
        {
            return HTTPAnswer(status: 202, body: Self.oneAccepted)
        }
        var items = AcceptedEvents()
        items.accepted = accepted + sampledOut
        if sampledOut > 0 { items.sampledOut = sampledOut }
        items.rejected = rejections
        items.position = sequences.flatMap { position?($0) }
        let isKnown = isCommitted == true
        if isKnown { items.duplicates = duplicates }
        // Of a body whose end is not known to be committed, what is known is said too.
        if isKnown || parkedTotal > 0 { items.parked = parked }
        if isKnown || deadLettersTotal > 0 { items.deadLetters = deadLetters }
        if parkedTotal > parked.count { items.parkedTotal = parkedTotal }
        if deadLettersTotal > deadLetters.count { items.deadLettersTotal = deadLettersTotal }
        if rejectedTotal > rejections.count { items.rejectedTotal = rejectedTotal }
        guard items.accepted == 0, rejectedTotal > 0 else {
            return HTTPAnswer(status: isCommitted == true ? 200 : 202, body: items.json)
        }
        let all = ErrorAnswer.Detail(
            code: HTTPProblem.Code.nothingAccepted.rawValue,
            message: "none of the \(rejectedTotal) items was acceptable; see rejected")
        let error = rejectedTotal == 1 ? rejections.first?.error ?? all : all
        return HTTPAnswer(status: 400, body: RefusedEvents(error: error, items: items).json)
    }
}

extension DeadItem.Detail {
    init(_ report: LineReport) {
        self.init(
            code: report.code, constraint: report.constraint, sqlState: report.sqlState, message: report.message)
    }
}

extension ParkedItem.Detail {
    init(_ report: LineReport, pack: String, fold: String) {
        self.init(
            pack: pack, fold: fold, code: report.code, constraint: report.constraint, sqlState: report.sqlState,
            message: report.message)
    }
}
