import Foundation

/// What a run of the sandbox answers: the first group of its ID. `stored-actions-sandbox scenarios` explains each.
enum Scenario: String, CaseIterable, Sendable {
    case success = "20000000"
    case successEmpty = "20000001"
    case successFlat = "20000002"
    case successEnveloped = "20000003"
    case successWithoutStatus = "20000004"
    case successErrorsOnly = "20000005"
    case successWithID = "20000006"
    case successWithoutID = "20000007"
    case large = "20000008"
    case resultsNull = "20000009"
    case resultsMixed = "2000000a"
    case deep = "2000000b"
    case gzip = "2000000c"
    case hardValues = "2000000d"
    case error = "20000010"
    case errorWithoutStatus = "20000011"
    case errorUnknownCode = "20000012"
    case errorThrottled = "20000013"
    case waiting = "20000020"
    case unknownStatus = "20000030"
    case wrongID = "20000031"
    case emptyBody = "20000032"
    case html = "20000033"
    case notJSON = "20000034"
    case truncatedJSON = "20000035"
    case invalidUTF8 = "20000036"
    case slow = "20000040"
    case stall = "20000041"
    case drip = "20000042"
    case bulkStrings = "20b00000"
    case bulkNumbers = "20b00001"
    case bulkOpaque = "20b00002"
    case pending = "20200000"
    case redirect = "30700000"
    case badRequest = "40000000"
    case forbidden = "40300000"
    case forbiddenHTML = "40300001"
    case missing = "40400000"
    case notFoundHTML = "40400001"
    case requestTimeout = "40800000"
    case conflict = "40900000"
    case gone = "41000000"
    case unprocessable = "42200000"
    case tooEarly = "42500000"
    case tooManyRequests = "42900000"
    case serverError = "50000000"
    case badGateway = "50200000"
    case unavailable = "50300000"
    case gatewayTimeout = "50400000"
    case cut = "00000001"
    case noAnswer = "00000002"
}

/// A manifest in the making.
struct Manifest: Sendable {
    struct Run: Sendable, Hashable {
        var action = "ac000001-0000-4000-8000-000000000001"
        let id: String
        var executedAt: Date?
        /// Further fields as JSON, each with a comma before it.
        var more = ""

        /// - Parameters:
        ///   - parameter: V of the sandbox's IDs.
        ///   - number: N, which makes the ID one of a kind.
        init(_ scenario: Scenario, _ parameter: Int = 0, number: UInt64, executed: Date? = nil, more: String = "") {
            let tail = String(number, radix: 16)
            let head = String(parameter, radix: 16)
            id =
                "\(scenario.rawValue)-" + String(repeating: "0", count: 4 - head.count) + head + "-4000-8000-"
                + String(repeating: "0", count: 12 - tail.count) + tail
            executedAt = executed
            self.more = more
        }

        var json: String {
            let date = executedAt.map { ", \"executed_at\": \"\($0.formatted(.iso8601))\"" } ?? ""
            return "{\"stored_action_id\": \"\(action)\", \"run_id\": \"\(id)\"\(date)\(more)}"
        }
    }

    var name = "today"
    var runs: [Run]

    /// `count` runs of one scenario, numbered from `start`.
    static func of(
        _ count: Int, _ scenario: Scenario = .success, _ parameter: Int = 0, from start: UInt64 = 0,
        name: String = "today", executed: Date? = nil
    ) -> Manifest {
        Manifest(
            name: name,
            runs: (0..<UInt64(count)).map { Run(scenario, parameter, number: start + $0, executed: executed) })
    }

    /// One run that is asked for first and answered at once, so that the API's limits are known, and `count` whose
    /// answers take ten minutes.
    static func endless(_ count: Int, name: String = "today") -> Manifest {
        let quick = Run(.success, 1, number: 1, executed: .daysAgo(3))
        return Manifest(
            name: name,
            runs: [quick] + (0..<UInt64(count)).map { Run(.slow, 60_000, number: $0, executed: .daysAgo(1)) })
    }

    var json: String {
        "{\"version\": 1, \"name\": \"\(name)\", \"runs\": [\n\(runs.map(\.json).joined(separator: ",\n"))\n]}"
    }
}

extension Date {
    /// Whole seconds, as a manifest tells them.
    static func daysAgo(_ days: Double) -> Date {
        Date(timeIntervalSince1970: (Date().timeIntervalSince1970 - days * 86_400).rounded())
    }
}
