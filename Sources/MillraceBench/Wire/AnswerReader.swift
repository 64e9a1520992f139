/// Reads what the daemon answers on one connection.
enum AnswerReader {
    case lines(LineAnswerReader)
    case http(HTTPAnswerReader)

    init(_ plan: LoadPlan) {
        switch plan.wire {
        case .tcp: self = .lines(LineAnswerReader())
        case .http: self = .http(HTTPAnswerReader(batch: plan.batch))
        }
    }

    mutating func read(_ bytes: UnsafeRawBufferPointer, _ body: (LoadAnswer) -> Void) {
        switch self {
        case .lines(var reader):
            reader.read(bytes, body)
            self = .lines(reader)
        case .http(var reader):
            reader.read(bytes, body)
            self = .http(reader)
        }
    }
}

/// What the daemon says about lines that were sent.
enum LoadAnswer: Equatable {
    /// TCP: its answer to the greeting.
    case greeted
    /// TCP: the first `lines` of the connection are answered.
    case acknowledged(lines: Int)
    /// TCP: line `number` of the connection, from 1, was refused; its ack follows.
    case refused(number: Int, reason: String)
    /// TCP: a line is parked or dead; its ack follows.
    case reported(reason: String)
    /// HTTP: one request is answered.
    case answered(accepted: Int, reason: String?)
    /// HTTP: one request failed, and nothing of it is kept.
    case failed(reason: String)
    /// It will say nothing more, or speaks another language.
    case ended(reason: String)
}
