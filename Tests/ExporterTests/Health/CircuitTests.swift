import ActionsAPI
import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Telling an API that fails for everybody from requests that fail")
struct CircuitTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func opened(probes: Int = 3) -> Circuit {
        var circuit = Circuit(threshold: 2, probes: probes)
        #expect(circuit.failed(retryAfter: nil, at: now, random: 0) == .closed)
        #expect(circuit.failed(retryAfter: nil, at: now, random: 0) == .probe(at: now + 0.25))
        return circuit
    }

    @Test("Failures with an answer of use between them leave it closed")
    func closed() {
        var circuit = Circuit(threshold: 2)
        for _ in 1...100 {
            #expect(circuit.failed(retryAfter: nil, at: now, random: 0) == .closed)
            #expect(circuit.probesAt == nil)
            circuit.succeeded()
        }
    }

    @Test("The retries of some runs do not open it, and are probes once it is open")
    func retries() {
        var circuit = Circuit(threshold: 2, probes: 3)
        for _ in 1...100 {
            #expect(circuit.failed(isRetry: true, retryAfter: nil, at: now, random: 0) == .closed)
        }
        circuit = opened()
        #expect(circuit.failed(isRetry: true, retryAfter: nil, at: now + 1, random: 0) == .probe(at: now + 1.5))
    }

    @Test("What left before it opened, and fails afterwards, is no probe")
    func latecomers() {
        var circuit = opened()
        for _ in 1...100 {
            #expect(circuit.failed(retryAfter: nil, at: now + 0.2, random: 0) == .probe(at: now + 0.25))
            let late = circuit.failed(askedAt: now - 1, retryAfter: nil, at: now + 30, random: 0)
            #expect(late == .probe(at: now + 0.25))
        }
    }

    @Test("Probes come at growing gaps, and after so many in vain it is given up")
    func givenUp() {
        var circuit = opened()
        #expect(circuit.failed(retryAfter: nil, at: now + 1, random: 0) == .probe(at: now + 1.5))
        #expect(circuit.failed(retryAfter: nil, at: now + 2, random: 0) == .probe(at: now + 3))
        for _ in 1...2 {
            #expect(circuit.failed(retryAfter: nil, at: now + 4, random: 0) == .giveUp(comeBackAt: nil))
        }
    }

    @Test("An answer of use closes it, and the count begins again")
    func recovery() {
        var circuit = opened()
        #expect(circuit.probesAt != nil)
        circuit.succeeded()
        #expect(circuit.probesAt == nil)
        #expect(circuit.failed(retryAfter: nil, at: now + 60, random: 0) == .closed)
    }

    @Test("A Retry-After is waited for, unless it is longer than anybody waits")
    func retryAfter() {
        var circuit = opened()
        #expect(circuit.failed(retryAfter: .seconds(40), at: now + 1, random: 0) == .probe(at: now + 41))
        let word = circuit.failed(retryAfter: .seconds(3600), at: now + 42, random: 0)
        #expect(word == .giveUp(comeBackAt: now + 3642))
    }

    @Test("Seven probes take half a minute to a minute")
    func patience() {
        for (random, seconds) in [(0.0, 30.0...35.0), (0.999, 60.0...65.0)] {
            var circuit = Circuit(threshold: 1)
            var time = now
            while case .probe(let next) = circuit.failed(retryAfter: nil, at: time, random: random) { time = next }
            #expect(seconds.contains(time.timeIntervalSince(now)))
        }
    }

    @Test(
        "An answer of a server in trouble is distinguished from an answer about a run",
        arguments: [
            (500, "", true), (502, "<html>", true), (503, "", true), (200, "<html>", true), (404, "<html>", true),
            (408, "", false), (404, #"{"errors": []}"#, false), (429, "", false), (401, "", false),
            (403, "<html>", false),
            (400, "", false), (202, "", false), (200, #"{"status": "success", "errors": []}"#, false),
            (200, #"{"status": "odd", "errors": []}"#, false),
        ])
    func health(status: Int, body: String, isFailing: Bool) {
        let answer = RunAnswer(APIResponse(status: status, body: Array(body.utf8)), runID: UUID())
        let health = HealthReport(answer, status: status)
        if case .failing = health { #expect(isFailing) } else { #expect(!isFailing) }
        #expect((health == .unknown) == [401, 403, 408, 429].contains(status))
    }
}
