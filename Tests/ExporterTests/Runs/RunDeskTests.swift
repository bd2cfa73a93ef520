import ActionsAPI
import Foundation
import Testing

@testable import ExportCore

@Suite("Runs that are held until it is known whose fault it was")
struct RunDeskTests {
    /// A desk with the traffic that its replies pass through.
    private struct Traffic {
        private static let now = RunRulesTests.now
        private var desk = RunDesk(rules: RunRules(maxWait: .seconds(600)))
        private var exchange = Exchange(budgetShare: 1, longestGap: .seconds(600), random: { 0 })

        var isHoldingRuns: Bool { desk.isHoldingRuns }

        /// A run's last try got that reply.
        mutating func fetched(_ number: Int, _ reply: Reply<RunAnswer>) -> [String] {
            var item = SchedulerTests.item(number)
            // The fifth try is the last.
            item.failures = 4
            exchange.settle(.reads) { _ = $0.request(at: Self.now) }
            exchange.asked(.run(item.key), at: Self.now)
            let moment = exchange.moment(Self.now, inFlight: 0, at: Self.now)
            return desk.fetched(item, reply, moment, through: &exchange).map(Self.name)
        }

        mutating func fetched(_ number: Int, status: Int, _ body: String) -> [String] {
            let response = APIResponse(status: status, body: Array(body.utf8))
            let head = ReplyHead(status: status, headers: RateLimitHeaders(), at: Self.now)
            let answer = RunAnswer(response, runID: SchedulerTests.item(number).key.runID)
            return fetched(number, .answered(answer, ReplyDetails(head: head)))
        }

        mutating func releaseAll() -> [String] { desk.releaseAll().map(Self.name) }

        private static func name(_ move: RunMove) -> String {
            func number(_ item: RunItem) -> String {
                (1...99).first { SchedulerTests.item($0).key == item.key }.map(String.init) ?? "another"
            }
            return switch move {
            case .settle(let run): "settle \(number(run.item))"
            case .release(let item): "release \(number(item))"
            case .end(.apiUnreachable): "end: unreachable"
            case .end(.credentialsRefused): "end: refused"
            default: "\(move)"
            }
        }
    }

    private let timeout = Reply<RunAnswer>.failed(TransportError(.timedOut, "timed out"))
    private let forbidden = #"{"errors": [{"code": "permission_denied"}]}"#
    private let success = #"{"status": "success", "results": []}"#

    @Test("Runs without an answer are held until the API answers anything")
    func silence() {
        var traffic = Traffic()
        #expect(traffic.fetched(1, timeout) == [])
        #expect(traffic.fetched(2, timeout) == [])
        #expect(traffic.isHoldingRuns)
        #expect(traffic.fetched(3, status: 200, success) == ["settle 1", "settle 2", "settle 3"])
        #expect(!traffic.isHoldingRuns)
        // It has answered, so the next one is the run's own fault.
        #expect(traffic.fetched(4, timeout) == ["settle 4"])
    }

    @Test("Three runs without an answer, and nothing else, are the API's fault")
    func dead() {
        var traffic = Traffic()
        for number in 1...2 { #expect(traffic.fetched(number, timeout) == []) }
        #expect(traffic.fetched(3, timeout) == ["release 1", "release 2", "release 3", "end: unreachable"])
        #expect(!traffic.isHoldingRuns)
    }

    @Test("Forbidden runs are held until another answer shows that the credentials are good")
    func forbiddenRuns() {
        var traffic = Traffic()
        for number in 1...2 { #expect(traffic.fetched(number, status: 403, forbidden) == []) }
        #expect(traffic.fetched(3, status: 200, success) == ["settle 1", "settle 2", "settle 3"])
    }

    @Test("Where every answer is 403 the credentials are at fault, and the runs stay in the queue")
    func refused() {
        var traffic = Traffic()
        for number in 1..<CredentialsWatch.patience { #expect(traffic.fetched(number, status: 403, forbidden) == []) }
        let released = (1...CredentialsWatch.patience).map { "release \($0)" }
        #expect(traffic.fetched(CredentialsWatch.patience, status: 403, forbidden) == released + ["end: refused"])
    }

    @Test("When nothing else can show whose fault it was, what is held counts")
    func end() {
        var traffic = Traffic()
        #expect(traffic.fetched(1, status: 403, forbidden) == [])
        #expect(traffic.releaseAll() == ["settle 1"])
        #expect(!traffic.isHoldingRuns)
    }
}
