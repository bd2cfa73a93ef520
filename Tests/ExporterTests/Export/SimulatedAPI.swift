import ActionsAPI
import Foundation
import HTTPTypes

@testable import ExportCore
@testable import Exporter

/// An Actions API in memory: answers for runs, rate windows, and a count of all that was asked.
struct SimulatedAPI {
    /// What a request for a run gets.
    enum Behaviour {
        case result(rows: Int)
        case partnerError
        case waiting, pending
        case permissionDenied, authenticationFailed, notFound
        /// 401, and the client has another token.
        case tokenEnded
        /// A page of a firewall.
        case blocked
        case status(Int, retryAfter: Int? = nil)
        /// 200 with an error of the API's own.
        case quoted(Int)
        case notConnected, connectionLost
        /// No answer at all.
        case silence
    }

    /// The answer to the n-th request for a run, from 1.
    var behaviour: (_ key: RunKey, _ attempt: Int, _ now: Date) -> Behaviour = { _, _, _ in .result(rows: 1) }
    /// Requests that a window admits; nil for no limit.
    var limit: Int?
    var window: TimeInterval = 60

    private(set) var attempts: [RunKey: Int] = [:]
    private(set) var requests = 0
    /// Requests that were answered 429 for lack of room.
    private(set) var refused = 0
    private var used = 0
    private var windowEnd = Date.distantPast

    /// - Returns: nil for silence.
    mutating func reply(to key: RunKey, at now: Date, arrivingAt arrival: Date) -> Reply<RunAnswer>? {
        let attempt = attempts[key, default: 0] + 1
        attempts[key] = attempt
        let behaviour = behaviour(key, attempt, now)
        if case .notConnected = behaviour { return .failed(TransportError(.notConnected, "connection refused")) }
        requests += 1
        if let limit {
            if now >= windowEnd { (windowEnd, used) = (now + window, 0) }
            used += 1
            if used > limit {
                refused += 1
                return answer(429, headers: rateHeaders(at: arrival), key, arrival)
            }
        }
        var headers = rateHeaders(at: arrival)
        switch behaviour {
        case .result(let rows):
            let rows = Array(repeating: #"{"a": 1}"#, count: rows).joined(separator: ",")
            return answer(200, #"{"status": "success", "results": [\#(rows)], "errors": []}"#, headers, key, arrival)
        case .partnerError:
            return answer(200, #"{"status": "error", "errors": [{"code": "x"}]}"#, headers, key, arrival)
        case .waiting: return answer(200, #"{"status": "waiting"}"#, headers, key, arrival)
        case .pending: return answer(202, headers: headers, key, arrival)
        case .permissionDenied: return answer(403, Self.error("permission_denied"), headers, key, arrival)
        case .authenticationFailed: return answer(401, Self.error("authentication_failed"), headers, key, arrival)
        case .notFound: return answer(404, Self.error("not_found"), headers, key, arrival)
        case .tokenEnded:
            let head = ReplyHead(
                status: 401, headers: RateLimitHeaders(), at: arrival)
            return .answered(.tokenEnded, ReplyDetails(head: head))
        case .blocked: return answer(403, "<html>Blocked</html>", [:], key, arrival)
        case .status(let status, let retryAfter):
            if let retryAfter { headers[.retryAfter] = "\(retryAfter)" }
            return answer(status, Self.error("trouble"), headers, key, arrival)
        case .quoted(let status):
            let body = #"{"errors": [{"status": \#(status), "code": "trouble", "title": "x"}]}"#
            return answer(200, body, headers, key, arrival)
        case .connectionLost: return .failed(TransportError(.connectionLost, "the connection was lost"))
        case .notConnected, .silence: return nil
        }
    }

    private static func error(_ code: String) -> String { #"{"errors": [{"code": "\#(code)", "detail": "no"}]}"# }

    private func rateHeaders(at arrival: Date) -> HTTPFields {
        guard let limit else { return [:] }
        return [
            .xRateLimitLimit: "\(limit)", .xRateLimitRemaining: "\(max(0, limit - used))",
            .xRateLimitReset: "\(Int(windowEnd.timeIntervalSince(arrival).rounded(.up)))",
        ]
    }

    private func answer(
        _ status: Int, _ body: String = "", headers: HTTPFields = [:], _ key: RunKey,
        _ arrival: Date
    ) -> Reply<RunAnswer> {
        answer(status, body, headers, key, arrival)
    }

    private func answer(
        _ status: Int, _ body: String, _ headers: HTTPFields, _ key: RunKey, _ arrival: Date
    ) -> Reply<RunAnswer> {
        let response = APIResponse(status: status, headers: headers, body: Array(body.utf8))
        return .answered(
            RunAnswer(response, runID: key.runID),
            ReplyDetails(
                head: ReplyHead(
                    status: status, headers: RateLimitHeaders(response.headers, receivedAt: arrival), at: arrival)
            ))
    }
}
