import ActionsAPI
import ExportCore
import Exporter
import Foundation
import HTTPTypes
import JSONText

/// A part of the client whose cost is measured on its own, without a server: in time beside `memcpy`, and in
/// instructions by a test.
package enum Part: String, CaseIterable, Sendable {
    /// What the others are compared to: the bytes of a large body, copied once.
    case memcpy
    /// The check that a large body is JSON.
    case validator
    /// A large body, cut into its objects, each looked at for what `jsonb` cannot hold.
    case splitter
    /// The headers of an answer, as they come and as the budget reads them.
    case headers = "headers of 1000 answers"
    case budget = "budget of 1000 requests"
    case manifest = "manifest reader of 1000 runs"
    /// A whole export whose every request and commit succeeds at once.
    case machine = "machine of 1000 runs"

    /// Does it once.
    ///
    /// - Returns: a number that depends on all of the work.
    package func run() throws -> Int {
        switch self {
        case .memcpy: Sample.body.copy()
        case .validator: try Self.validator()
        case .splitter: Self.splitter()
        case .headers: Self.headers()
        case .budget: Self.budget()
        case .manifest: try Self.manifest()
        case .machine: Self.machine()
        }
    }

    /// What one call works through.
    package var units: (count: Int, name: String) {
        switch self {
        case .memcpy, .validator, .splitter: (Sample.body.bytes.count / 1_000, "kB")
        case .headers: (Self.count, "answer")
        case .budget: (Self.count, "request")
        case .manifest, .machine: (Self.count, "run")
        }
    }

    private static let count = 1_000

    private static func validator() throws -> Int {
        try JSONValue(validating: Sample.body.bytes).bytes.count
    }

    private static func splitter() -> Int {
        guard case .finished(_, let result) = RunAnswer(Sample.response, runID: Sample.runID) else { return 0 }
        return result.results.reduce(0) { $1.jsonbForm() == .exact ? $0 + $1.bytes.count : $0 }
    }

    private static func headers() -> Int {
        (0..<count).reduce(0) { sum, _ in
            let fields = HTTPFields(received: Sample.receivedHeaders)
            return sum + (RateLimitHeaders(fields, receivedAt: Sample.receivedAt).remaining ?? 0)
        }
    }

    private static func budget() -> Int {
        var budget = RateBudget(share: 1)
        var headers = RateLimitHeaders(
            limit: 1_000_000, remaining: 1_000_000, resetsIn: .seconds(3600), resetInstant: Sample.receivedAt + 3600)
        return (1...count).reduce(0) { sent, number in
            let isAdmitted = budget.request(at: Sample.receivedAt) == .go
            headers.remaining = 1_000_000 - number
            budget.answered(headers, status: 200, at: Sample.receivedAt)
            return isAdmitted ? sent + 1 : sent
        }
    }

    private static func manifest() throws -> Int {
        let folder = FileManager.default.temporaryDirectory
        let file = folder.appendingPathComponent("part-\(ProcessInfo.processInfo.processIdentifier).json")
        try Data(Sample.manifest(runs: count).utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let manifests = try ManifestReader.read(
            [ManifestSource(.file(path: file.path))], temporaryDirectory: folder.path)
        var runs = 0
        try manifests.forEachRun { _ in runs += 1 }
        return runs
    }

    private static func machine() -> Int {
        var export = PlayedExport(runs: count)
        return export.play()
    }
}
