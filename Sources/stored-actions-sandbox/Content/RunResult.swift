/// The body of a run's 200, `StoredActionResult`: which of its fields are there, and whether it is under `data`.
struct RunResult: Sendable {
    let id: CodedID
    var toldID: CodedID
    var tellsType = true
    var tellsID: Bool
    var status: String? = "success"
    /// nil leaves the field out.
    var results: JSON? = .array([])
    /// nil leaves the field out.
    var nextPage: JSON?
    var errors: [JSON] = []
    var isEnveloped: Bool

    /// Odd numbers are under `data`; two of four have their id; one of four has a `next_page` of null.
    init(id: CodedID) {
        self.id = id
        toldID = id
        tellsID = id.number % 4 < 2
        nextPage = id.number % 4 == 0 ? .null : nil
        isEnveloped = id.number % 2 == 1
    }

    static func errorsOnly(id: CodedID) -> RunResult {
        var result = RunResult(id: id)
        result.tellsType = false
        result.tellsID = false
        result.status = nil
        result.results = nil
        result.nextPage = nil
        return result
    }

    func with(results: JSON?) -> RunResult {
        var result = self
        result.results = results
        return result
    }

    func failing(_ errors: [JSON]) -> RunResult {
        var result = self
        result.status = "error"
        result.errors = errors
        return result
    }

    var json: JSON {
        var fields: [(String, JSON)] = []
        if tellsType { fields.append(("type", "run")) }
        if tellsID { fields.append(("id", .string(toldID.description))) }
        if let status { fields.append(("status", .string(status))) }
        if let results { fields.append(("results", results)) }
        if let nextPage { fields.append(("next_page", nextPage)) }
        fields.append(("errors", .array(errors)))
        return isEnveloped ? ["data": .object(fields)] : .object(fields)
    }

    var answer: Answer {
        var answer = Answer.json(200, json)
        let isFinished = status == nil || status == "success" || status == "error"
        answer.isFinal = isFinished && !(tellsID && toldID != id)
        return answer
    }
}
