/// A generated answer and the rows that it must become.
struct PlannedAnswer: Sendable {
    /// A value with the bytes in which it is sent.
    struct Part: Sendable {
        var value: PlantedValue
        var bytes: [UInt8]
    }

    struct Member: Sendable {
        var key: [PlantedText]
        var part: Part
    }

    let run: String
    var httpStatus = 200
    var body: [UInt8] = []
    /// Nil: what PostgreSQL's own reading of the body says.
    var outcome: String?
    var status: String?
    var type: String?
    var nextPage: String?
    var results: [Part] = []
    var errors: [Part] = []
    /// In the order of the text.
    var extra: [Member] = []

    init(run: String) {
        self.run = run
    }
}

extension PlannedAnswer {
    /// As `runs.extra` is to hold them.
    var extraPart: Part? {
        guard !extra.isEmpty else { return nil }
        return Part(
            value: .object(extra.map { PlantedValue.Member($0.key, $0.part.value) }),
            bytes: [UInt8(ascii: "{")]
                + extra.map { $0.key.rendered + [UInt8(ascii: ":")] + $0.part.bytes }.joined(separator: [
                    UInt8(ascii: ",")
                ])
                + [UInt8(ascii: "}")])
    }
}

/// What the columns of `errors` must hold of an error.
struct PlannedError {
    var code: String?
    var title: String?
    var detail: String?
    var delay: String?
    var meta: String?
    var extra: String?

    init(_ value: PlantedValue) {
        guard case .object(let members) = value else {
            extra = PlantedValue.object([.init("value", value)]).nearest
            return
        }
        var rest = Array(members.enumerated())
        /// The last member of that key, which leaves the rest if its column takes it.
        func take(_ key: String, _ column: (PlantedValue) -> String?) -> String? {
            guard let place = rest.lastIndex(where: { $0.element.key.decoded == key }) else { return nil }
            let value = rest[place].element.value
            let taken = column(value)
            if taken != nil || value.isNull { rest.remove(at: place) }
            return taken
        }
        let text = { (value: PlantedValue) -> String? in
            if case .string(let text) = value { text.decoded } else { nil }
        }
        code = take("code", text)
        title = take("title", text)
        detail = take("detail", text)
        delay = take("delay") { value in
            if case .number(let spelling, _) = value { Int(spelling).map(String.init) } else { nil }
        }
        meta = take("meta") { $0.isNull ? nil : $0.nearest }
        if !rest.isEmpty { extra = PlantedValue.object(rest.map(\.element)).nearest }
    }
}
