internal import FoundationEssentials
internal import MillraceEvent
internal import MillraceJSON

extension JSONWriter {
    /// As an object, unless there are none.
    mutating func append(_ name: String, _ attributes: [OTLPKeyValue]) {
        guard !attributes.isEmpty else { return }
        append(name: name)
        append(attributes)
    }

    private mutating func append(_ attributes: [OTLPKeyValue]) {
        append(raw: "{")
        for attribute in attributes {
            append(name: attribute.key)
            append(attribute.value)
        }
        append(raw: "}")
    }

    /// Whole numbers with all their digits, bytes in base64, nothing as `null`. How deep values lie in each other was limited
    /// when they were decoded.
    mutating func append(_ value: OTLPAnyValue) {
        switch value.value {
        case .stringValue(let text): append(text)
        case .boolValue(let bool): append(bool)
        case .intValue(let number): append(number)
        case .doubleValue(let number) where number.isFinite: append(raw: Array(number.description.utf8))
        // As protobuf's JSON has what is no number of JSON.
        case .doubleValue(let number): append(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity")
        case .bytesValue(let bytes): append(bytes.base64EncodedString())
        case .kvlistValue(let list): append(list.values)
        case .arrayValue(let array):
            append(raw: "[")
            for value in array.values {
                separate()
                append(value)
            }
            append(raw: "]")
        case nil: append(raw: "null")
        }
    }
}

extension LogPiece {
    /// A resource without its closing bracket.
    func resourceMembers() throws(Refusal) -> JSONWriter {
        let resource = try decoded(OTLPLogResource.self, name: "resource")
        var json = JSONWriter.begunObject()
        json.append("attributes", resource.attributes)
        json.appendUnlessZero("dropped_attributes_count", resource.droppedAttributesCount)
        return json
    }

    /// A scope without its closing bracket.
    func scopeMembers() throws(Refusal) -> JSONWriter {
        let scope = try decoded(OTLPLogScope.self, name: "scope")
        var json = JSONWriter.begunObject()
        json.appendUnlessEmpty("name", scope.name)
        json.appendUnlessEmpty("version", scope.version)
        json.append("attributes", scope.attributes)
        json.appendUnlessZero("dropped_attributes_count", scope.droppedAttributesCount)
        return json
    }
}
