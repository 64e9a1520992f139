internal import Crypto
internal import FoundationEssentials
internal import MillraceEvent
internal import MillraceJSON

/// The log records of a whole request of OTLP/HTTP, one after the other as lines of Millrace's own.
final class LogRecords: DialectMessages {
    let key: String? = nil

    /// Of the request's bytes. Who sends it again sends the same ones, so that a record is known by them and its place.
    private let digest: [UInt8]
    /// Larger messages are not decoded: no line would hold them.
    private let itemBytesMax: Int
    private let byteCount: Int
    /// Places of groups and records so far.
    private var place = 0
    private var resources: ArraySlice<LogPiece>
    private var scopes: ArraySlice<LogPiece> = []
    private var records: ArraySlice<LogPiece> = []
    /// Of the group in hand, as a member of the payload; or why none of its records can be read.
    private var resource: Result<[UInt8], Refusal> = .success([])
    private var scope: Result<[UInt8], Refusal> = .success([])
    /// A group that can't be read: it stands for one record.
    private var unreadable: Refusal?

    /// - Parameters:
    ///   - body: has `EventParser.paddingBytes` readable bytes behind it; is not needed any more afterwards.
    ///   - itemBytesMax: of a line, in bytes.
    /// - Throws: where it is no request of OTLP.
    init(_ body: UnsafeRawBufferPointer, isProtobuf: Bool, itemBytesMax: Int) throws(Refusal) {
        var hash = SHA256()
        hash.update(bufferPointer: body)
        digest = Array(hash.finalize())
        self.itemBytesMax = itemBytesMax
        byteCount = body.count
        let request: LogPiece
        if isProtobuf {
            request = .binary(Data(body))
        } else {
            // Checks the grammar of all of it, which nobody else does.
            try MessageReader().read(body.withoutMark, list: "resourceLogs")
            let text = Array(body.withoutMark)[...]
            let start = JSONScanner.afterSpace(text, 0)
            request = .json(text[start..<JSONScanner.afterValue(text, start)])
        }
        resources = try request.group(.request).parts[...]
        advance()
    }

    let isEmpty = false

    /// The pieces of the levels, which are copies.
    var heldBytes: Int { byteCount * 3 }

    var isAtEnd: Bool { records.isEmpty && unreadable == nil }

    let keptMessage: [UInt8] = []

    let uuid: [UInt8]? = nil

    func next(tenant: Int32, into line: inout [UInt8]) throws(Refusal) {
        defer {
            place += 1
            advance()
        }
        if let unreadable {
            self.unreadable = nil
            throw unreadable
        }
        guard let piece = records.popFirst() else { preconditionFailure("nothing is asked for at the end") }
        let (resource, scope) = (try resource.get(), try scope.get())
        let record = try whole(piece).decoded(OTLPLogRecord.self, name: "log record")
        LogRecordLine(record: record, isJSON: piece.isJSON).write(
            context: [resource, scope], tenant: tenant,
            // Without a time of its own, the same again may be another event.
            id: { ContentIdentity.id(of: [Array("\(tenant):otlp".utf8), digest, Array(String(place).utf8)]) },
            into: &line)
    }

    /// Goes on to the next record, or to a group that can't be read.
    private func advance() {
        while records.isEmpty, unreadable == nil {
            do throws(Refusal) {
                if let piece = scopes.popFirst() {
                    let group = try piece.group(.scope)
                    records = group.parts[...]
                    scope = member("scope", of: group) { (head) throws(Refusal) in try head.scopeMembers() }
                } else if let piece = resources.popFirst() {
                    let group = try piece.group(.resource)
                    scopes = group.parts[...]
                    resource = member("resource", of: group) { (head) throws(Refusal) in try head.resourceMembers() }
                } else {
                    return
                }
            } catch {
                unreadable = error
            }
        }
    }

    private func whole(_ piece: LogPiece) throws(Refusal) -> LogPiece {
        guard piece.byteCount <= itemBytesMax else { throw .lineTooLong(piece.byteCount, max: itemBytesMax) }
        return piece
    }

    /// `"name":{…}`, or nothing where there is nothing to say.
    private func member(
        _ name: String, of group: LogGroup, _ members: (LogPiece) throws(Refusal) -> JSONWriter
    ) -> Result<[UInt8], Refusal> {
        do throws(Refusal) {
            var json = JSONWriter.begunObject()
            if let head = group.head { json = try members(whole(head)) }
            json.appendUnlessEmpty("schema_url", group.schemaURL)
            guard json.bytes.count > 1 else { return .success([]) }
            json.append(raw: "}")
            return .success(JSONString.literal(name) + [UInt8(ascii: ":")] + json.bytes)
        } catch {
            return .failure(error)
        }
    }
}
