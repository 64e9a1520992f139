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
