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
        let readingBytesAByte = dialect?.readingBytesAByte ?? 0
        return messages.heldBytes + (input.count + messages.heldBytes) * readingBytesAByte
    }

    func checkSize(of dialect: DialectRequest) throws(HTTPProblem) {
        let bytesMax = configuration.http.sdkBodyMax
        guard input.count > bytesMax else { return }
        throw HTTPProblem(.bodyTooLarge, "the body has more than \(bytesMax) bytes (http.sdk_body_max)")
    }

    /// The body has ended.
    func open(_ dialect: DialectRequest) throws(HTTPProblem) {
        guard !input.isEmpty || dialect.hasEmptyBody else { throw HTTPProblem(.emptyBody, "the body is empty") }
        guard memory.resize(to: heldBytes + input.count * dialect.readingBytesAByte) else {
            throw HTTPProblem(.memoryBudget, MemoryShortage.message)
        }
        let body: any DialectMessages
        do throws(Refusal) {
            body = try dialect.messages(
                of: input.readable, receivedAt: builder.receivedAt, itemBytesMax: itemBytesMax,
                bodyBytesMax: configuration.http.sdkBodyMax)
        } catch {
            throw HTTPProblem(.malformedBody, error.message)
        }
        if let entry { try enter(entry, key: body.key) }
        guard !body.isEmpty else { throw HTTPProblem(.emptyBody, "the body holds no message") }
        messages = body
        guard memory.resize(to: heldBytes) else { throw HTTPProblem(.memoryBudget, MemoryShortage.message) }
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

    func cut(_ messages: any DialectMessages) {
        guard !messages.isAtEnd else {
            self.messages = nil
            input.removeAll()
            return machine.lastItemCut()
        }
        do throws(Refusal) {
            line.removeAll(keepingCapacity: true)
            try messages.next(tenant: builder.tenant, into: &line)
            try countLine()
            try takeLine()
            let uuid = self.uuid(of: messages)
            machine.reply?.add(uuid: uuid, nil)
        } catch {
            refuse(error, of: messages)
        }
    }

    /// What stands around messages becomes a part of each line: the lines of a body may become as much more than it as a
    /// compressed body may.
    private func countLine() throws(Refusal) {
        messageBytes += line.count
        let ratioMax = configuration.http.decompressionRatioMax
        guard messageBytes > max(BodyDecompressor.ratioFreeBytes, input.count * ratioMax) else { return }
        // What is kept of it is the message alone.
        line.removeAll(keepingCapacity: true)
        throw Refusal(
            .payloadTooLarge, "with what stands around them, the messages of its body grow more than \(ratioMax) times")
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

    private func refuse(_ refusal: Refusal, of messages: any DialectMessages) {
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

    private func uuid(of messages: any DialectMessages) -> [UInt8]? {
        machine.reply?.namesMessages == true ? messages.uuid : nil
    }
}
