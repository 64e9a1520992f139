/// Why a schema is not taken. Where it stands is known to who reads it.
struct SchemaError: Error, Equatable {
    var code: RulesError.Code
    /// JSON pointer to what is wrong.
    var pointer: String
    /// Of the schema's text, counted from 1.
    var line: Int
    var message: String
}
