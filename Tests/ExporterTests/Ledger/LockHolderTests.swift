import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Who holds a manifest's lock, and whether it is at work")
struct LockHolderTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    private static func ago(_ minutes: Double) -> Date { now - minutes * 60 }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var connected: Double? = 60
        var started: Double? = 59
        var limit: Double?
        var progress: Double? = 1
        var hangs: Bool
    }

    @Test(arguments: [
        Case(testDescription: "at work", hangs: false),
        Case(testDescription: "within its time limit", limit: -1, hangs: false),
        Case(testDescription: "past its time limit", limit: 1, hangs: true),
        Case(testDescription: "just past it, on its way to the end", limit: 0.05, hangs: false),
        Case(testDescription: "29 minutes without progress", progress: 29, hangs: false),
        Case(testDescription: "31 minutes without progress", progress: 31, hangs: true),
        Case(testDescription: "never any progress", progress: nil, hangs: true),
        Case(testDescription: "just begun", connected: 2, started: 1, progress: nil, hangs: false),
        Case(testDescription: "a connection that is not shown", connected: nil, limit: 1, hangs: true),
        // Its row may be that of an export that was killed before.
        Case(testDescription: "no row of its own yet", connected: 1, limit: 30, progress: 45, hangs: false),
        Case(testDescription: "31 minutes without a row", connected: 31, started: nil, progress: nil, hangs: true),
        Case(testDescription: "of which nothing is known", connected: nil, started: nil, progress: nil, hangs: false),
    ])
    func hang(_ entry: Case) {
        let holder = LockHolder(
            name: "today", exportID: 1, startedAt: entry.started.map(Self.ago), timeLimitAt: entry.limit.map(Self.ago),
            progressAt: entry.progress.map(Self.ago), serverProcess: 1, connectedAt: entry.connected.map(Self.ago))
        #expect((holder.hang(at: Self.now) != nil) == entry.hangs)
    }
}
