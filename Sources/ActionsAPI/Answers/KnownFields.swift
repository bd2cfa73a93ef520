import JSONText

/// The members of some keys in an object. Of duplicate keys the last one counts, as in PostgreSQL.
struct KnownFields: Sendable {
    let object: JSONValue
    /// Fewer than a dictionary would be worth.
    private var counting: [(key: String, member: JSONMember)] = []
    /// Of all members, in an object of their own.
    fileprivate private(set) var byteCount = 0

    init(_ object: JSONValue, _ keys: [String]) {
        self.object = object
        for member in object.lazyMembers() {
            byteCount += member.byteCount
            guard let key = keys.first(where: member.isNamed) else { continue }
            counting.removeAll { $0.key == key }
            counting.append((key, member))
        }
    }

    subscript(key: String) -> JSONValue? { counting.first { $0.key == key }?.member.value }

    /// The members that count.
    fileprivate func members(of keys: [String]) -> [JSONMember] {
        counting.filter { keys.contains($0.key) }.map(\.member)
    }
}

extension JSONMember {
    /// With its colon, and a bracket or comma before it.
    fileprivate var byteCount: Int { spelling.count + value.bytes.count + 2 }
}

/// Members of objects that have no column of their own, found again when they are asked for: a body may consist of
/// them.
package struct UnknownFields: Sendable {
    private struct Part: Sendable {
        var object: JSONValue
        /// The positions of the members that are stored elsewhere.
        var known: [Int]

        var members: some Sequence<JSONMember> { object.lazyMembers().lazy.filter { !known.contains($0.position) } }
    }

    private var parts: [Part] = []
    /// Of the object that they make; 0 if there are none.
    package private(set) var byteCount = 0

    package init() {}

    /// - Parameter objects: each with the keys that are stored elsewhere.
    init(_ objects: [(KnownFields, but: [String])]) {
        for (fields, keys) in objects {
            let known = fields.members(of: keys)
            parts.append(Part(object: fields.object, known: known.map(\.position)))
            byteCount += known.reduce(fields.byteCount) { $0 - $1.byteCount }
        }
        if byteCount > 0 { byteCount += 1 }
    }

    package var isEmpty: Bool { byteCount == 0 }

    /// An object of the members, in the bytes in which they came; nil if there are none.
    package func object() -> [UInt8]? {
        guard !isEmpty else { return nil }
        var object: [UInt8] = []
        object.reserveCapacity(byteCount)
        for part in parts {
            for member in part.members {
                object.append(UInt8(ascii: object.isEmpty ? "{" : ","))
                object += member.spelling
                object.append(UInt8(ascii: ":"))
                object += member.value.bytes
            }
        }
        object.append(UInt8(ascii: "}"))
        return object
    }

    /// Whether any key or string within the members, decoded, is such a one.
    func containsString(where isWanted: (String) -> Bool) -> Bool {
        parts.contains { part in
            part.members.contains { isWanted($0.key) || $0.value.containsString(where: isWanted) }
        }
    }
}
