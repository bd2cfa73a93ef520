/// The bodies of all answers, cut where the run's ID goes. They live as long as the process.
struct Bodies {
    /// Everything before the ID.
    let start = #"{"type":"run","id":""#
    /// Everything after the ID: one of several, so that not all runs have the same rows.
    private let ends: [UnsafeRawBufferPointer]

    static let shortestObject = 280
    private static let variants = 16

    init(_ options: Options) {
        var random = SplitMix(seed: options.seed)
        ends = (0..<Self.variants).map { _ in
            let objects = (0..<options.objects).map { _ in Self.object(bytes: options.bytes, &random) }
            let text =
                #"","status":"success","results":["# + objects.joined(separator: ",")
                + #"],"next_page":null,"errors":[]}"#
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 16)
            bytes.copyBytes(from: text.utf8)
            return UnsafeRawBufferPointer(bytes)
        }
    }

    /// - Parameter runID: as text; its last digit chooses the variant.
    func end(for runID: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        ends[Int(runID[runID.count - 1]) % ends.count]
    }

    func byteCount(end: UnsafeRawBufferPointer) -> Int { start.utf8.count + Service.idLength + end.count }

    /// A row as a CRM would return it: names, numbers, a nested object, a list, and a note that fills it up.
    private static func object(bytes: Int, _ random: inout SplitMix) -> String {
        func pick(_ words: [String]) -> String { words[random.below(words.count)] }
        let (first, last) = (pick(firstNames), pick(lastNames))
        let head = """
            {"id":\(100_000_000 + random.below(900_000_000)),"name":"\(first) \(last)",\
            "email":"\(last.lowercased()).\(random.below(1000))@example.com","stage":"\(pick(stages))",\
            "value":\(random.below(100_000)).\(10 + random.below(90)),"active":\(random.below(2) == 0),"parent":null,\
            "created_at":"2026-11-\(10 + random.below(20))T\(10 + random.below(14)):30:00Z",\
            "tags":["\(pick(stages))","\(pick(notes))"],"owner":{"id":\(random.below(1000)),"team":"\(pick(stages))"},\
            "note":"
            """
        var note = #"say \"hello\" "#
        while head.utf8.count + note.utf8.count + 2 < bytes { note += pick(notes) + " " }
        // Cut at a character that is one byte long and begins no escape.
        var text = Array((head + note).utf8.prefix(bytes - 2))
        while let byte = text.last, byte >= 0x80 || byte == UInt8(ascii: "\\") { text.removeLast() }
        while text.count < bytes - 2 { text.append(UInt8(ascii: ".")) }
        return String(decoding: text, as: UTF8.self) + #""}"#
    }

    private static let firstNames = ["Ada", "Grace", "Edsger", "Barbara", "Zoë", "Niklaus", "Frances", "Donald"]
    private static let lastNames = ["Lovelace", "Hopper", "Dijkstra", "Liskov", "Perlis", "Wirth", "Allen", "Knuth"]
    private static let stages = ["new", "open", "qualified", "won", "lost"]
    private static let notes = ["called", "later", "offer", "café", "renewal", "waits", "contract", "asked", "price"]
}

/// The generator that is known as SplitMix64: the same numbers from the same seed on every machine.
struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
