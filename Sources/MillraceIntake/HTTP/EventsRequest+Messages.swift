internal import MillraceAccess
internal import MillraceChannels
internal import MillraceDialects
internal import MillraceEvent
internal import MillraceTelemetry
internal import MillraceTreatment

/// What is another thing about a request in a dialect: its body is read whole, may hold its key, and its messages are made to
/// lines, which are judged and gathered as all are.
extension EventsRequest {
    /// Memory of a body that is read whole, beside the body.
    var messagesBytes: Int {
        guard let messages else { return 0 }
        return messages.heldBytes + (input.count + messages.heldBytes) * DialectBody.readingBytesAByte
    }

    func checkSize(of dialect: DialectRequest) throws(HTTPProblem) {
        let bytesMax = configuration.http.sdkBodyMax
        guard input.count > bytesMax else { return }
        throw HTTPProblem(.bodyTooLarge, "the body has more than \(bytesMax) bytes (http.sdk_body_max)")
    }

    /// The body has ended.
    func open(_ dialect: DialectRequest) throws(HTTPProblem) {
        guard !input.isEmpty || dialect.hasEmptyBody else { throw HTTPProblem(.emptyBody, "the body is empty") }
        guard memory.resize(to: heldBytes + input.count * DialectBody.readingBytesAByte) else {
            throw HTTPProblem(.memoryBudget, MemoryShortage.message)
        }
        let body: DialectBody
        do throws(Refusal) {
            body = try DialectBody(input.readable, of: dialect, receivedAt: builder.receivedAt)
        } catch {
            throw HTTPProblem(.malformedBody, error.message)
        }
        if let entry { try enter(entry, key: body.key) }
        guard body.count > 0 || dialect.dialect == .cloudEvents else {
            throw HTTPProblem(.emptyBody, "the body holds no message")
        }
        messages = body
    }

    /// Goes on with the key that the body holds.
    private func enter(_ entry: HTTPAccess.Entry, key: String?) throws(HTTPProblem) {
        do throws(AccessRefusal) {
            let entry = try door.entry(entry, key: key, to: route)
            self.entry = entry
            grant = entry.grant
            rates = entry.rates
            builder.tenant = entry.grant?.tenant ?? 0
        } catch {
            isKeyMissing = error.code == .unauthenticated
            throw HTTPProblem(error)
        }
    }

    func cut(_ messages: DialectBody) {
        guard !messages.isAtEnd else {
            self.messages = nil
            input.removeAll()
            return machine.lastItemCut()
        }
        do throws(Refusal) {
            line.removeAll(keepingCapacity: true)
            try messages.next(tenant: builder.tenant, into: &line)
            try takeLine()
            let uuid = self.uuid(of: messages)
            machine.reply?.add(uuid: uuid, nil)
        } catch {
            refuse(error, of: messages)
        }
    }

    private func takeLine() throws(Refusal) {
        let count = line.count
        uncounted.bytes += count
        guard count <= itemBytesMax else { throw .lineTooLong(count, max: itemBytesMax) }
        line.append(contentsOf: repeatElement(0, count: EventParser.paddingBytes))
        defer { line.removeLast(EventParser.paddingBytes) }
        let outcome = line.withUnsafeBytes { bytes in
            Result { () throws(Refusal) in try take(item: bytes.slice(0..<count)) }
        }
        try outcome.get()
    }

    private func refuse(_ refusal: Refusal, of messages: DialectBody) {
        guard dialect?.dialect.keepsRefused == true else {
            let uuid = self.uuid(of: messages)
            machine.reply?.add(uuid: uuid, refusal)
            return refuse(refusal)
        }
        countRefused(refusal)
        // The line where there is one: it can be tried again.
        if line.isEmpty { line = messages.keptMessage }
        let letter = line.withUnsafeBytes { bytes in
            let isWhole = bytes.count <= itemBytesMax
            return LinePolicy.refused(
                isWhole ? bytes : bytes.slice(0..<min(bytes.count, configuration.limits.refusedLineBytes)),
                lineBytes: bytes.count, for: refusal, peer: peer, tenant: builder.tenant, isAccepted: true, by: policy)
        }
        letter.withUnsafeBytes { builder.append(.refused, $0) }
        machine.itemAccepted()
    }

    private func uuid(of messages: DialectBody) -> [UInt8]? {
        machine.reply?.namesMessages == true ? messages.uuid : nil
    }
}
