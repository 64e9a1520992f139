extension ImportKind {
    /// All kinds, in the order in which the summary tells them.
    static let known: [ImportKind] = workspaces + commerce + casework + conversations + [event]

    /// Names of arrays that an object with named arrays may hold.
    static let collections = Set(known.map(\.name)).union(collectionAliases.keys)

    /// Other names of arrays.
    static let collectionAliases = [
        "analytics_events": "events", "conversation_saves": "conversations", "feedbacks": "feedback",
    ]

    /// `name` in snake_case, as `ImportKind.name` spells it; nil when there is no such kind.
    static func collection(_ name: String) -> String? {
        let name = collectionAliases[name] ?? name
        return collections.contains(name) ? name : nil
    }

    /// Kinds of that name, one a system.
    static func named(_ name: String) -> [ImportKind] {
        known.filter { $0.name == name }
    }

    /// A save of a conversation, as the daemon takes it.
    static let conversationSave = ImportKind(
        system: .conversations, name: "conversations", shape: .conversationSave,
        columns: ["conversation_id", "question", "response", "user_id", "timestamp", "source", "metadata"],
        aliases: ["created_at": "timestamp", "answer": "response", "session_id": "conversation_id"])

    /// An event, as the daemon takes it.
    static let event = ImportKind(
        name: "events", shape: .event, columns: ["id", "event_type", "user_id", "payload", "created_at"],
        aliases: ["timestamp": "created_at"])

    private static let saved: Set<String> = ["created_at", "updated_at"]

    private static let workspaces: [ImportKind] = [
        ImportKind(
            system: .workspaces, name: "users", eventType: "workspaces.user_saved", idType: .integer,
            columns: saved.union([
                "id", "username", "email", "first_name", "last_name", "role", "preferences", "last_login", "is_active",
            ]),
            times: saved.union(["last_login"])),
        ImportKind(
            system: .workspaces, name: "templates", eventType: "workspaces.template_saved", idType: .integer,
            columns: saved.union([
                "id", "user_id", "name", "description", "category", "subject", "body", "is_html", "variables",
                "is_active", "usage_count",
            ]),
            times: saved, references: ["user_id"]),
        ImportKind(
            system: .workspaces, name: "signatures", eventType: "workspaces.signature_saved", idType: .integer,
            columns: saved.union(["id", "user_id", "name", "content", "is_html", "is_default", "is_active"]),
            times: saved, references: ["user_id"]),
        ImportKind(
            system: .workspaces, name: "workspaces", eventType: "workspaces.workspace_saved", idType: .integer,
            columns: saved.union([
                "id", "user_id", "title", "description", "status", "priority", "progress", "source", "source_id",
                "workspace_metadata", "tags", "completed_at", "due_date",
            ]),
            aliases: ["metadata": "workspace_metadata"],
            times: saved.union(["completed_at", "due_date"]), references: ["user_id"],
            values: [
                "status": ["NOT_STARTED", "IN_PROGRESS", "COMPLETED", "ARCHIVED"],
                "priority": ["LOW", "MEDIUM", "HIGH", "URGENT"],
            ],
            children: ["messages": "messages"]),
        ImportKind(
            system: .workspaces, name: "messages", shape: .occurrence, eventType: "workspaces.message_sent",
            idType: .integer, identity: .optional,
            columns: ["id", "workspace_id", "role", "content", "message_metadata", "created_at"],
            aliases: ["metadata": "message_metadata", "timestamp": "created_at"],
            times: ["created_at"], references: ["workspace_id"],
            values: ["role": ["USER", "ASSISTANT", "SYSTEM"]], parentColumns: ["workspaces": "workspace_id"]),
    ]

    private static let commerce: [ImportKind] = [
        ImportKind(
            system: .commerce, name: "users", eventType: "commerce.user_saved", idType: .uuid,
            columns: saved.union(["id", "email", "role", "name", "first_name", "last_name"]),
            times: saved, values: ["role": ["admin", "customer"]]),
        ImportKind(
            system: .commerce, name: "products", eventType: "commerce.product_saved", idType: .uuid,
            columns: saved.union(["id", "name", "description", "price", "stock", "active"]), times: saved),
        ImportKind(
            system: .commerce, name: "carts", eventType: "commerce.cart_saved", idType: .uuid,
            columns: saved.union(["id", "user_id"]), times: saved, references: ["user_id"],
            children: ["items": "cart_items", "cart_items": "cart_items"]),
        ImportKind(
            system: .commerce, name: "cart_items", eventType: "commerce.cart_item_saved", idType: .uuid,
            identity: .derived(from: ["cart_id", "product_id"]),
            columns: saved.union(["id", "cart_id", "product_id", "quantity"]), times: saved,
            references: ["cart_id", "product_id"], parentColumns: ["carts": "cart_id"]),
        ImportKind(
            system: .commerce, name: "orders", eventType: "commerce.order_saved", idType: .uuid,
            columns: saved.union([
                "id", "user_id", "status", "total_amount", "idempotency_key", "payment_intent_id",
            ]),
            aliases: ["total": "total_amount"], times: saved, references: ["user_id"],
            values: ["status": ["pending", "paid", "shipped", "cancelled"]],
            children: ["items": "order_items", "order_items": "order_items"]),
        ImportKind(
            system: .commerce, name: "order_items", eventType: "commerce.order_item_saved", idType: .uuid,
            identity: .derived(from: ["order_id", "product_id"]),
            columns: saved.union(["id", "order_id", "product_id", "quantity", "unit_price"]), times: saved,
            references: ["order_id", "product_id"], parentColumns: ["orders": "order_id"]),
        ImportKind(
            system: .commerce, name: "leads", shape: .occurrence, eventType: "commerce.lead_captured", idType: .uuid,
            identity: .derived(from: []), columns: ["id", "name", "email", "message", "created_at"],
            times: ["created_at"]),
    ]

    private static let casework: [ImportKind] = [
        ImportKind(
            system: .casework, name: "users", eventType: "casework.user_saved", idType: .integer,
            columns: saved.union(["id", "email", "first_name", "last_name", "role", "status"]), times: saved,
            children: [
                "beneficiaries": "beneficiaries", "documents": "documents", "conversations": "conversations",
            ]),
        ImportKind(
            system: .casework, name: "beneficiaries", eventType: "casework.beneficiary_saved", idType: .integer,
            columns: saved.union(["id", "user_id", "first_name", "last_name", "email", "phone", "status"]),
            times: saved, references: ["user_id"],
            children: ["documents": "documents", "conversations": "conversations"],
            parentColumns: ["users": "user_id"]),
        ImportKind(
            system: .casework, name: "documents", eventType: "casework.document_saved", idType: .integer,
            columns: saved.union(["id", "user_id", "beneficiary_id", "title", "kind", "status"]), times: saved,
            references: ["user_id", "beneficiary_id"],
            parentColumns: ["users": "user_id", "beneficiaries": "beneficiary_id"]),
        ImportKind(
            system: .casework, name: "conversations", eventType: "casework.conversation_saved", idType: .integer,
            columns: saved.union(["id", "user_id", "beneficiary_id", "title", "status"]), times: saved,
            references: ["user_id", "beneficiary_id"],
            parentColumns: ["users": "user_id", "beneficiaries": "beneficiary_id"]),
    ]

    private static let conversations: [ImportKind] = [
        conversationSave,
        ImportKind(
            system: .conversations, name: "feedback", shape: .occurrence, eventType: "conversations.feedback_given",
            identity: .derived(from: []),
            columns: ["id", "conversation_id", "user_id", "rating", "comment", "created_at"],
            aliases: ["timestamp": "created_at"], times: ["created_at"]),
        ImportKind(
            system: .conversations, name: "invitations", eventType: "conversations.invitation_saved",
            columns: saved.union(["id", "email", "invited_by", "status", "sent_at", "accepted_at"]),
            times: saved.union(["sent_at", "accepted_at"])),
    ]
}
