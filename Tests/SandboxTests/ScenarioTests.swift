import Foundation
import Testing

@testable import stored_actions_sandbox

@Suite("What a run answers follows from its id")
struct ScenarioTests {
    private func read(_ scenario: Scenario, _ parameter: UInt16 = 0, number: UInt64 = 4, attempt: Int = 1) -> Answer {
        let read = RunAnswers.Read(action: "a", run: scenario.id(number, parameter: parameter), attempt: attempt)
        return RunAnswers(seed: 1).answer(to: read)
    }

    private func body(_ answer: Answer) throws -> NSDictionary {
        try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? NSDictionary)
    }

    @Test(
        "the first answer has the status of its scenario",
        arguments: [
            (Scenario.success, 200), (.error, 200), (.waiting, 200), (.unknownStatus, 200),
            (.pending, 202), (.redirect, 307), (.badRequest, 400), (.forbidden, 403), (.expired, 404),
            (.requestTimeout, 408),
            (.conflict, 409), (.gone, 410), (.unprocessable, 422), (.tooEarly, 425), (.tooManyRequests, 429),
            (.serverError, 500), (.badGateway, 502), (.unavailable, 503), (.gatewayTimeout, 504),
        ])
    func status(_ scenario: Scenario, _ status: Int) {
        #expect(read(scenario).status == status)
    }

    @Test(
        "trouble comes V times, then success; with V 0 it never ends", arguments: Scenario.allCases.filter(\.recovers))
    func recovery(_ scenario: Scenario) throws {
        #expect(!read(scenario, 2, attempt: 1).isFinal)
        #expect(!read(scenario, 2, attempt: 2).isFinal)
        #expect(!read(scenario, 0, attempt: 1000).isFinal)
        let third = read(scenario, 2, attempt: 3)
        #expect(third.isFinal && third.delivery == .whole)
        #expect(try body(third)["status"] as? String == "success")
    }

    @Test(
        "an API error's code is the documented one, its status the answer's",
        arguments: [
            (Scenario.badRequest, "bad_request"), (.forbidden, "permission_denied"), (.expired, "not_found"),
            (.tooManyRequests, "too_many_requests"), (.serverError, "external_service_error"),
            (.unavailable, "service_unavaiable"),
        ])
    func errorBodies(_ scenario: Scenario, _ code: String) throws {
        let answer = read(scenario)
        let error = try #require((try body(answer)["errors"] as? [NSDictionary])?.first)
        #expect(error["code"] as? String == code)
        #expect(error["status"] as? Int == answer.status)
    }

    @Test("every documented code of the partner's errors comes up")
    func partnerCodes() throws {
        let errors = try #require(try body(read(.error, 8, number: 0))["errors"] as? [NSDictionary])
        #expect(errors.compactMap { $0["code"] as? String } == PartnerErrors.codes)
        #expect(errors[4]["delay"] as? Int == 30)
        #expect(try body(read(.error))["status"] as? String == "error")
        #expect(try body(read(.errorWithoutStatus))["status"] == nil)
    }

    @Test("fields that the schema does not require can be absent")
    func absentFields() throws {
        #expect(try body(read(.successErrorsOnly)) == ["errors": [Any]()])
        #expect(try body(read(.successWithoutStatus))["status"] == nil)
        #expect(try body(read(.successEmpty, number: 2))["results"] != nil)
        #expect((try body(read(.successEmpty, number: 1))["data"] as? NSDictionary)?["results"] == nil)
        #expect(try body(read(.resultsNull))["results"] is NSNull)
        #expect(try body(read(.successWithID, number: 2))["id"] as? String == "20000006-0000-4000-8000-000000000002")
        #expect(try body(read(.successWithoutID, number: 0))["id"] == nil)
        #expect(try body(read(.wrongID, number: 2))["id"] as? String == "20000031-0000-4000-8000-000000000003")
    }

    @Test("odd numbers stand under `data`, even ones do not, and two scenarios choose")
    func envelopes() throws {
        #expect(try body(read(.success, number: 3))["data"] != nil)
        #expect(try body(read(.success, number: 2))["data"] == nil)
        #expect(try body(read(.successFlat, number: 3))["data"] == nil)
        #expect(try body(read(.successEnveloped, number: 2))["data"] != nil)
    }

    @Test("the same seed and id give the same bytes, another seed or number others")
    func determinism() {
        let id = Scenario.success.id(8, parameter: 21)
        func bytes(_ seed: UInt64, _ id: CodedID) -> [UInt8] {
            RunAnswers(seed: seed).answer(to: .init(action: "a", run: id)).body
        }
        #expect(bytes(1, id) == bytes(1, id))
        #expect(bytes(1, id) != bytes(2, id))
        #expect(bytes(1, id) != bytes(1, Scenario.success.id(12, parameter: 21)))
    }

    @Test("V of a success is its number of objects plus one; without it, 0 to 40 of them")
    func rowCounts() throws {
        #expect((try body(read(.success, 1))["results"] as? [Any])?.count == 0)
        #expect((try body(read(.success, 31))["results"] as? [Any])?.count == 30)
        let counts = try (0..<400).map { try (body(read(.success, number: $0 * 2))["results"] as? [Any])?.count ?? -1 }
        #expect(counts.min() == 0 && counts.max() == 40)
    }

    @Test("V sets the size in KiB, the depth in hundreds, and the pauses")
    func parameters() {
        #expect((100 * 1024...103 * 1024).contains(read(.large, 100).body.count))
        #expect(read(.deep, 3).body.filter { $0 == UInt8(ascii: "[") }.count == 300 + 2)
        #expect(read(.slow, 20).delay == .milliseconds(200))
        #expect(read(.stall, 20).delivery == .stall(.milliseconds(200)))
        #expect(read(.drip).delivery == .drip(bytes: 16, every: .milliseconds(10)))
    }

    @Test(
        "bodies that are not the promised JSON are not",
        arguments: [
            Scenario.emptyBody, .html, .notJSON, .truncatedJSON, .notFoundHTML, .forbiddenHTML,
        ])
    func notJSON(_ scenario: Scenario) {
        let answer = read(scenario)
        let text = String(validating: answer.body, as: UTF8.self)
        #expect(text.flatMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) } == nil)
        #expect(!answer.isFinal)
    }

    @Test("a body with bytes that are not UTF-8 is final all the same")
    func invalidUTF8() {
        let answer = read(.invalidUTF8)
        #expect(String(validating: answer.body, as: UTF8.self) == nil)
        #expect(answer.isFinal)
    }

    @Test("a run of no scenario is not found")
    func unknownRun() throws {
        let id = try #require(CodedID(parsing: "9B1D2C3E-0000-1000-8000-000000000001"))
        #expect(RunAnswers(seed: 1).answer(to: .init(action: "a", run: id)).status == 404)
    }

    @Test("every scenario has a name and digits of its own")
    func names() {
        #expect(Set(Scenario.allCases.map(\.name)).count == Scenario.allCases.count)
        #expect(Scenario.successWithoutID.name == "success-without-id")
        #expect(Scenario.invalidUTF8.name == "invalid-utf8")
        #expect(Scenario.cut.digits == "00000001")
    }
}
