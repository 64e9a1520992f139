package import MillraceJSON

/// An item that the database refused: it is in `dead_letters`.
package struct DeadItem: JSONShape {
    /// What is said of a line of TCP too.
    package struct Detail: JSONShape {
        package var code: String
        package var constraint: String?
        package var sqlState: String?
        package var message: String

        package init(code: String, constraint: String?, sqlState: String?, message: String) {
            self.code = code
            self.constraint = constraint
            self.sqlState = sqlState
            self.message = message
        }

        package static let fields: [JSONField<Self>] = [
            JSONField("code", \.code), JSONField("constraint", \.constraint, doc: ReportDocs.constraint),
            JSONField("sqlstate", \.sqlState, doc: ReportDocs.sqlState), JSONField("message", \.message),
        ]
    }

    /// Of the item in the body, from 0.
    package var index: Int
    package var detail: Detail

    package init(index: Int, _ detail: Detail) {
        self.index = index
        self.detail = detail
    }

    package static let name = "DeadItem"

    package static let fields = [JSONField<Self>("index", \.index)] + Detail.fields.map { $0.of(\.detail) }
}

/// An item that is stored and that a projection lacks: it is in `projections.parked`.
package struct ParkedItem: JSONShape {
    /// What is said of a line of TCP too.
    package struct Detail: JSONShape {
        package var pack: String
        package var fold: String
        package var code: String
        package var constraint: String?
        package var sqlState: String?
        package var message: String

        package init(
            pack: String, fold: String, code: String, constraint: String?, sqlState: String?, message: String
        ) {
            self.pack = pack
            self.fold = fold
            self.code = code
            self.constraint = constraint
            self.sqlState = sqlState
            self.message = message
        }

        package static let fields: [JSONField<Self>] = [
            JSONField("pack", \.pack), JSONField("fold", \.fold), JSONField("code", \.code),
            JSONField("constraint", \.constraint, doc: ReportDocs.constraint),
            JSONField("sqlstate", \.sqlState, doc: ReportDocs.sqlState), JSONField("message", \.message),
        ]
    }

    /// Of the item in the body, from 0.
    package var index: Int
    package var detail: Detail

    package init(index: Int, _ detail: Detail) {
        self.index = index
        self.detail = detail
    }

    package static let name = "ParkedItem"

    package static let fields = [JSONField<Self>("index", \.index)] + Detail.fields.map { $0.of(\.detail) }
}

private enum ReportDocs {
    static let constraint = "The constraint or unique index that refused it, where PostgreSQL named one"
    static let sqlState = "Where PostgreSQL refused it"
}
