internal import CMillrace
internal import MillraceEvent
internal import MillracePostgres

/// What a batch's rows say of the status of conversations, and the conversations that its saves belong to. One thread's.
final class StatusGathering {
    /// What an event says.
    struct EventType: Equatable {
        /// Of one save, not of its whole conversation.
        var isOfSave: Bool
        /// Else it names the status.
        var isDelete: Bool

        init?(named name: String) {
            switch name {
            case "conversations.status_changed": self.init(isOfSave: false, isDelete: false)
            case "conversations.conversation_deleted": self.init(isOfSave: false, isDelete: true)
            case "conversations.save_status_changed": self.init(isOfSave: true, isDelete: false)
            case "conversations.save_deleted": self.init(isOfSave: true, isDelete: true)
            default: return nil
            }
        }

        private init(isOfSave: Bool, isDelete: Bool) {
            self.isOfSave = isOfSave
            self.isDelete = isDelete
        }
    }

    /// Characters of a status at most, as the pack's table has it.
    private static let statusLengthMax = 50
    private static let conversationBytesMax = 200
    private static let paths = [["conversation_id"], ["status"], ["id"]]
    private static let conversationColumn = RowLayout.index(of: "conversation_id", in: .conversations)
    private static let tenantColumn = RowLayout.index(of: "tenant_id", in: .analyticsEvents)

    /// Whether conversations of saves are gathered: of no use while none has a status.
    private(set) var gathersSaves = false
    /// Whether the batch has saves.
    var hasSaves = false
    private var saves = TupleStore()
    /// Conversations that events are about.
    private(set) var changed: Set<String> = []
    /// Columns of the events: tenant, conversation, save, status, time, id.
    private var columns = StatusGathering.emptyColumns

    private let extractor = FieldExtractor()
    // SAFETY: a place for each of `paths`, allocated with the object and freed in `deinit`; passed on for the time of a call.
    private let found = UnsafeMutablePointer<mr_text>.allocate(capacity: StatusGathering.paths.count)

    private static var emptyColumns: [BinaryArray] {
        [ArrayElement.int4, .text, .uuid, .text, .timestamptz, .uuid].map { BinaryArray($0) }
    }

    init() {
        found.initialize(repeating: mr_text(bytes: nil, length: 0), count: Self.paths.count)
        for (output, path) in Self.paths.enumerated() { extractor.add(path, wantsJSON: false, output: output) }
    }

    deinit {
        found.deallocate()
    }

    /// Starts a batch.
    func begin(gathersSaves: Bool) {
        self.gathersSaves = gathersSaves
        hasSaves = false
        saves.clear()
        guard !changed.isEmpty else { return }
        changed = []
        columns = Self.emptyColumns
    }

    var byteCount: Int { saves.heldBytes }

    /// The statement's arrays.
    var parameters: [PostgresParameter?] { columns.map(\.parameter) }

    /// Conversations of the batch's saves, when they are gathered.
    var conversationsOfSaves: PostgresParameter {
        var array = BinaryArray(.text)
        for index in 0..<saves.count { array.append(saves.tuple(index)) }
        return array.parameter
    }

    func add(save row: FoldRow) {
        let value = row.value(Self.conversationColumn)
        guard let start = value.baseAddress else { return }
        saves.tail(value.count).copyMemory(from: start, byteCount: value.count)
        _ = saves.intern(value.count, eventAt: 0, idHigh: 0, idLow: 0)
    }

    /// What lacks a conversation or a status says nothing; the pack parks it.
    func add(event row: FoldRow, _ type: EventType, document: Int) {
        guard row.length(document) > 0 else { return }
        // After jsonb's version byte.
        extractor.extract(UnsafeRawBufferPointer(rebasing: row.value(document).dropFirst()), into: found)
        guard let conversation = text(0), (1...Self.conversationBytesMax).contains(conversation.utf8.count) else {
            return
        }
        var save = UniqueID(high: 0, low: 0)
        if type.isOfSave {
            guard let id = text(2).flatMap({ UniqueID($0) }) else { return }
            save = id
        }
        var status = "deleted"
        if !type.isDelete {
            guard let named = text(1), (1...Self.statusLengthMax).contains(named.unicodeScalars.count) else { return }
            status = named
        }
        changed.insert(conversation)
        columns[0].append(row.value(Self.tenantColumn))
        columns[1].append(conversation)
        save.bytes.withUnsafeBytes { columns[2].append($0) }
        columns[3].append(status)
        columns[4].append(integer: row.stateAt)
        UniqueID(high: row.idHigh, low: row.idLow).bytes.withUnsafeBytes { columns[5].append($0) }
    }

    private func text(_ path: Int) -> String? {
        let text = found[path]
        guard let bytes = text.bytes, !text.hasLongNumbers else { return nil }
        return String(decoding: UnsafeBufferPointer(start: bytes, count: text.length), as: UTF8.self)
    }
}
