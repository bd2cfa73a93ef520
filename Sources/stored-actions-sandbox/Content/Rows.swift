/// The objects of `results`, made up from seed and run id alone.
struct Rows: Sendable {
    private var generator: SeededGenerator

    init(seed: UInt64, id: CodedID) {
        generator = SeededGenerator(seed: seed, salt: id.folded)
    }

    /// 0 to 40, for a run that does not say how many.
    mutating func count() -> Int { generator.below(41) }

    mutating func take(_ count: Int) -> [JSON] {
        (0..<max(count, 0)).map { row($0) }
    }

    private mutating func row(_ index: Int) -> JSON {
        switch generator.below(8) {
        case 0, 1, 2: lead(index)
        case 3, 4: order(index)
        case 5: note(index)
        case 6: numbers()
        default: index % 5 == 4 ? [:] : nested(index)
        }
    }

    private mutating func lead(_ index: Int) -> JSON {
        [
            "id": .int(generator.below(1_000_000)),
            "name": .string(generator.pick(Self.names, or: "Ada")),
            "email": .string("lead\(index)@example.com"),
            "tags": .array((0..<generator.below(4)).map { _ in .string(generator.pick(Self.tags, or: "new")) }),
            "active": .bool(generator.below(2) == 0),
            "referrer": nil,
            "score": .number("\(generator.below(100)).\(generator.below(9))0"),
        ]
    }

    private mutating func order(_ index: Int) -> JSON {
        let lines = (0..<generator.below(4)).map { line -> JSON in
            ["sku": .string("SKU-\(line)"), "quantity": .int(1 + generator.below(9)), "price": .number("10.10")]
        }
        return [
            "order_no": .string("A-\(1000 + index)"),
            "ledger_id": .number("12345678901234567890"),
            "total": .number("\(generator.below(10_000)).\(10 + generator.below(90))"),
            "lines": .array(lines),
            "shipping": ["city": .string(generator.pick(Self.cities, or: "Oslo")), "zip": "01234", "note": ""],
        ]
    }

    private mutating func note(_ index: Int) -> JSON {
        [
            "title": .string("Note \(index): \"\(generator.pick(Self.names, or: "Ada"))\""),
            "text": "First line\nsecond\tline, a \\ and a / and \u{1F} and 🦉 and e\u{301}",
            "escaped": .raw(#""caf\u00e9 \ud83e\udd89 \/ \b\f""#),
            "done": .bool(index % 2 == 0),
        ]
    }

    private mutating func numbers() -> JSON {
        [
            "zero": 0,
            "negative": .number("-\(generator.below(1000)).5"),
            "big": .number("12345678901234567890"),
            "exact": .number("10.10"),
            "long": .number("0.1234567890123456789012345678901234567890"),
            "small": .number("1.5e-7"),
        ]
    }

    private mutating func nested(_ index: Int) -> JSON {
        [
            "": "the empty key",
            "with space": .array([.array([]), .object([]), nil, true, .int(generator.below(10))]),
            "a": ["b": ["c": ["d": [.int(index), ["e": .string(generator.pick(Self.tags, or: "new"))]]]]],
        ]
    }

    private static let names = [
        "Ada Lovelace", "Zoë Müller", "李小龍", "Ольга", "José Ñuñez", "نور", "O'Brien, Pat", "😀 Smile",
    ]
    private static let tags = ["new", "vip", "été", "a,b", "semi;colon", "quote\"d"]
    private static let cities = ["Oslo", "São Paulo", "Kraków", "東京", "Reykjavík"]
}
