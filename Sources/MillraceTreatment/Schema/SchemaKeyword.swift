internal import CMillrace

/// What of a schema a value may not fit, in the order of `MR_KEYWORD_…`.
enum SchemaKeyword: Int32, CaseIterable {
    case never
    case type
    case enumeration
    case minLength
    case maxLength
    case pattern
    case minimum
    case maximum
    case exclusiveMinimum
    case exclusiveMaximum
    case multipleOf
    case required
    case dependentRequired
    case additionalProperties
    case minProperties
    case maxProperties
    case propertyNames
    case minItems
    case maxItems
    case uniqueItems
    case contains
    case maxContains
    case anyOf
    case oneOf
    case not
}
