/// Makes answers from a seed, valid and mangled, with what must become of them.
struct AnswerGenerator {
    private var values: ValueGenerator

    init(seed: UInt64) {
        values = ValueGenerator(seed: seed)
    }

    /// A result in one of the shapes that the API is known to answer.
    mutating func valid() -> PlannedAnswer {
        var answer = PlannedAnswer(run: values.uuid())
        let isClean = values.once(in: 2)
        var members: [PlannedAnswer.Member] = []
        addStatus(to: &answer, &members)
        addID(of: answer, to: &members)
        addType(to: &answer, &members)
        addNextPage(to: &answer, &members)
        addResults(to: &answer, &members, isClean: isClean)
        addErrors(to: &answer, &members, isClean: isClean)
        members = values.shuffled(members)
        let known = members
        var unknown: [PlannedAnswer.Member] = []
        while values.once(in: 3) { unknown.append(unknownMember(isClean: isClean)) }
        for member in unknown { members.insert(member, at: values.below(members.count + 1)) }
        // A member that a later one of the same key hides.
        var hidden: [PlannedAnswer.Member] = []
        while !isClean, values.once(in: 4), let later = known.isEmpty ? nil : values.pick(known) {
            let member = PlannedAnswer.Member(key: later.key, part: part(values.value(isClean: isClean)))
            let place = members.lastIndex { $0.key.decoded == later.key.decoded } ?? 0
            members.insert(member, at: values.below(place + 1))
            hidden.append(member)
        }
        let counting = Dictionary(
            members.indices.map { (members[$0].key.decoded, $0) }, uniquingKeysWith: { $1 })
        let knownKeys = Set(known.map(\.key.decoded))
        answer.extra = members.indices
            .filter { !knownKeys.contains(members[$0].key.decoded) || counting[members[$0].key.decoded] != $0 }
            .map { members[$0] }
        answer.body = envelope(members, isUnderData: values.once(in: 5))
        answer.outcome = answer.status ?? (answer.errors.isEmpty ? "success" : "error")
        if answer.outcome != "waiting", !known.holdResult { answer.outcome = "failed" }
        if answer.outcome == "waiting" || answer.outcome == "failed" {
            (answer.results, answer.errors, answer.extra) = ([], [], [])
        }
        return answer
    }

    /// An answer of that status with one object that holds nothing but what `jsonb` can.
    mutating func plain(status: String = "success", results: [PlantedValue]? = nil) -> PlannedAnswer {
        var answer = PlannedAnswer(run: values.uuid())
        answer.outcome = status
        answer.status = status
        answer.results = (results ?? [values.value(isClean: true)]).map { part($0) }
        let list = values.list("[", answer.results.map(\.bytes), "]")
        answer.body = Array(#"{"status": "\#(status)", "errors": [], "results": "#.utf8) + list + [UInt8(ascii: "}")]
        return answer
    }

    /// An answer with another status or body than a run's result.
    mutating func other() -> PlannedAnswer {
        var answer = PlannedAnswer(run: values.uuid())
        let error = #"{"errors": [{"status": 400, "code": "CODE", "title": "T", "detail": "D"}]}"#
        let (status, body, outcome) = values.pick([
            (202, "", "pending"), (202, #"{"status": "success", "results": [1], "errors": []}"#, "pending"),
            (404, error.replacing("CODE", with: "not_found"), "expired"), (410, error, "expired"),
            (403, error.replacing("CODE", with: "permission_denied"), "forbidden"), (400, error, "rejected"),
            (422, "<html>", "rejected"), (409, "", "rejected"), (404, "<html>no such page</html>", "failed"),
            (200, #"{"status": "paused", "errors": [], "results": [1]}"#, "failed"),
            (200, #"{"status": 1, "errors": [], "results": [1]}"#, "failed"),
            (200, #"{"status": "Success", "results": [1]}"#, "failed"),
            (200, #"{"status": "success", "id": "\#(values.uuid())", "results": [1]}"#, "failed"),
            (200, #"{"status": "success", "id": 7, "results": [1]}"#, "failed"),
            (200, #"{"status": "success", "data": {"x": 1}}"#, "failed"),
            (200, #"{"status": "error", "message": "upstream down"}"#, "failed"),
            (200, #"{"errors": [{"message": "Internal server error"}], "data": null}"#, "failed"),
            (200, #"{"errors": [{"status": 503, "code": "service_unavailable", "title": "T"}]}"#, "failed"),
            (200, #"{"message": "maintenance"}"#, "failed"), (200, "[]", "failed"), (200, "null", "failed"),
            (200, #""success""#, "failed"), (200, "", "failed"), (200, "{}", "failed"),
        ])
        answer.httpStatus = status
        answer.body = Array(body.utf8)
        answer.outcome = outcome
        return answer
    }

    /// A result that is no JSON any more.
    mutating func broken() -> PlannedAnswer {
        let whole = plain()
        var answer = PlannedAnswer(run: whole.run)
        answer.outcome = "failed"
        answer.body = whole.body
        let breaks =
            [
                "NaN", "Infinity", "1,", "/* a comment */ 1", "// \n1", "'a'", "01", "+1", ".5", "1.", "1e", "0x1",
                "undefined",
                "True", "\"a\u{1}b\"", "\"a\nb\"", #""\x41""#, #""\u12""#, "\u{A0}1", "1}", "[1", "a: 1",
            ].map { Array($0.utf8) } + [[0xFF], [0xC3, 0xA9], [0x00], [0x22, 0x5C, 0x22]]
        switch values.below(4) {
        case 0: answer.body = Array(whole.body.prefix(values.below(whole.body.count)))
        case 1: answer.body[answer.body.count - 1] = UInt8(ascii: "]")
        default:
            answer.body = Array(#"{"status": "success", "results": ["#.utf8) + values.pick(breaks) + Array("]}".utf8)
        }
        return answer
    }

    /// A result with a few bytes changed at random, whatever that makes of it.
    mutating func mutated() -> PlannedAnswer {
        let whole = plain()
        var answer = PlannedAnswer(run: whole.run)
        answer.body = whole.body
        for _ in 0...values.below(3) {
            let place = values.below(answer.body.count)
            let byte = values.once(in: 4) ? UInt8(values.below(256)) : values.pick(Array("{}[]\",:\\ 0e.-tn".utf8))
            switch values.below(4) {
            case 0: answer.body[place] = byte
            case 1: answer.body.insert(byte, at: place)
            case 2: answer.body.remove(at: place)
            default: answer.body.swapAt(place, values.below(answer.body.count))
            }
        }
        return answer
    }

    // MARK: The parts of a valid answer

    private mutating func part(_ value: PlantedValue) -> PlannedAnswer.Part {
        PlannedAnswer.Part(value: value, bytes: values.render(value))
    }

    private mutating func member(_ key: String, _ value: PlantedValue) -> PlannedAnswer.Member {
        PlannedAnswer.Member(key: [.plain(key)], part: part(value))
    }

    private mutating func addStatus(to answer: inout PlannedAnswer, _ members: inout [PlannedAnswer.Member]) {
        switch values.below(10) {
        case 0: break
        case 1: members.append(member("status", .null))
        case 2:
            answer.status = "error"
            members.append(member("status", .text("error")))
        case 3:
            answer.status = "waiting"
            members.append(member("status", .text("waiting")))
        case 4:
            answer.status = "success"
            let spelling: [PlantedText] = [.plain("succ"), .escape(#"\u0065"#, meaning: "e"), .plain("ss")]
            members.append(member("status", .string(spelling)))
        default:
            answer.status = "success"
            members.append(member("status", .text("success")))
        }
    }

    private mutating func addID(of answer: PlannedAnswer, to members: inout [PlannedAnswer.Member]) {
        switch values.below(4) {
        case 0: members.append(member("id", .text(answer.run)))
        case 1: members.append(member("id", .text(answer.run.uppercased())))
        case 2: members.append(member("id", .null))
        default: break
        }
    }

    private mutating func addType(to answer: inout PlannedAnswer, _ members: inout [PlannedAnswer.Member]) {
        guard values.once(in: 2) else { return }
        answer.type = "run"
        members.append(member("type", .text("run")))
    }

    private mutating func addNextPage(to answer: inout PlannedAnswer, _ members: inout [PlannedAnswer.Member]) {
        switch values.below(6) {
        case 0: members.append(member("next_page", .null))
        case 1: members.append(member("next_page", .text("")))
        case 2:
            answer.nextPage = "é/1"
            members.append(member("next_page", .text("é/1")))
        case 3:
            answer.nextPage = "12345678901234567890"
            members.append(member("next_page", .number("12345678901234567890", fits: true)))
        default: break
        }
    }

    private mutating func addResults(
        to answer: inout PlannedAnswer, _ members: inout [PlannedAnswer.Member], isClean: Bool
    ) {
        switch values.below(12) {
        case 0 where answer.status != nil: break
        case 1: members.append(member("results", .null))
        case 2:
            var only = values.value(isClean: isClean)
            while only.isNull || only.isArray { only = values.value(isClean: isClean) }
            let part = part(only)
            answer.results = [part]
            members.append(PlannedAnswer.Member(key: [.plain("results")], part: part))
        default:
            answer.results = (0..<values.below(6)).map { _ in part(values.value(isClean: isClean)) }
            members.append(list("results", answer.results))
        }
    }

    private mutating func addErrors(
        to answer: inout PlannedAnswer, _ members: inout [PlannedAnswer.Member], isClean: Bool
    ) {
        switch values.below(6) {
        case 0: break
        case 1: members.append(member("errors", .null))
        case 2, 3:
            answer.errors = (0...values.below(2)).map { _ in part(partnerError(isClean: isClean)) }
            members.append(list("errors", answer.errors))
        default: members.append(list("errors", []))
        }
    }

    private mutating func list(_ key: String, _ parts: [PlannedAnswer.Part]) -> PlannedAnswer.Member {
        PlannedAnswer.Member(
            key: [.plain(key)],
            part: PlannedAnswer.Part(
                value: .array(parts.map(\.value)), bytes: values.list("[", parts.map(\.bytes), "]")))
    }

    private mutating func partnerError(isClean: Bool) -> PlantedValue {
        if values.once(in: 10) { return values.value(isClean: isClean) }
        var members: [PlantedValue.Member] = []
        for key in ["code", "title", "detail"] where !values.once(in: 4) {
            members.append(
                .init(key, values.once(in: 6) ? values.value(isClean: isClean) : .string(values.text(isClean: isClean)))
            )
        }
        if values.once(in: 3) {
            members.append(
                .init(
                    "delay", values.pick([.number("45", fits: true), .number("1.5", fits: true), .text("soon"), .null]))
            )
        }
        if values.once(in: 2) { members.append(.init("meta", values.value(isClean: isClean))) }
        if values.once(in: 3) {
            let key = unknownKey(isClean: isClean)
            members.append(.init(key, values.value(isClean: isClean)))
        }
        members = values.shuffled(members)
        if !isClean, values.once(in: 4), let twice = members.randomKey(values.below(8)) {
            members.append(.init(twice, values.value(isClean: isClean)))
        }
        return .object(members)
    }

    private mutating func unknownMember(isClean: Bool) -> PlannedAnswer.Member {
        PlannedAnswer.Member(key: unknownKey(isClean: isClean), part: part(values.value(isClean: isClean)))
    }

    /// Different ones nearly always; where they are not meant to be the same, surely.
    private mutating func unknownKey(isClean: Bool) -> [PlantedText] {
        [.plain("x\(values.below(1 << 40))")] + (isClean || values.once(in: 2) ? [] : values.text(isClean: false))
    }

    private mutating func envelope(_ members: [PlannedAnswer.Member], isUnderData: Bool) -> [UInt8] {
        var bytes = values.list(
            "{",
            members.map { $0.key.rendered + values.space() + [UInt8(ascii: ":")] + values.space() + $0.part.bytes }, "}"
        )
        if isUnderData { bytes = Array(#"{"data": "#.utf8) + bytes + [UInt8(ascii: "}")] }
        if values.once(in: 20) { bytes = [0xEF, 0xBB, 0xBF] + bytes }
        return bytes + values.space()
    }
}

extension PlantedValue {
    fileprivate var isArray: Bool {
        switch self {
        case .array, .nested: true
        case .word, .number, .string, .object: false
        }
    }

    /// An error that a partner's app may have made; none of these has a status.
    fileprivate var isPartnersError: Bool {
        guard case .object(let members) = self else { return false }
        return ["code", "title", "detail"].contains { key in
            members.last { $0.key.decoded == key }.map { !$0.value.isNull } ?? false
        }
    }
}

extension [PlannedAnswer.Member] {
    fileprivate var holdResult: Bool {
        contains { member in
            switch member.key.decoded {
            case "results": return member.part.value.isArray
            case "errors":
                guard case .array(let errors) = member.part.value else { return false }
                return errors.allSatisfy(\.isPartnersError)
            default: return false
            }
        }
    }
}

extension [PlantedValue.Member] {
    fileprivate func randomKey(_ place: Int) -> [PlantedText]? { isEmpty ? nil : self[place % count].key }
}
