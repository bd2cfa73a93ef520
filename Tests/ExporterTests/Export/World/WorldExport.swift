import Foundation
import Support
import Synchronization

@testable import ExportCore
@testable import Exporter

/// How one export is called, and what happens to it.
struct ExportPlan {
    /// Which of the database's manifests it exports.
    var manifest = 0
    var options = ExportOptions()
    /// Seconds from the beginning of the play to its own.
    var startsAfter: TimeInterval = 0
    /// Seconds from its beginning, as all that follow.
    var timeLimit: TimeInterval? = 3600
    var signals: [Signal] = []
    var killedAfter: TimeInterval?
    /// It dies before the step of that number, from 1: before a request or a statement of it arrives, or before it hears
    /// of an event.
    var killedAtStep: Int?
    var databaseLostAfter: TimeInterval?
    /// The connection that holds the lock on its intents breaks; the next step of a chain connects again.
    var lockLostAfter: TimeInterval?
    /// Hash of what its manifest sends with requests for pages; nil: it has no manifest.
    var inputsHash: [UInt8]? = PagingFixture.inputsHash
}

extension ExportPlan {
    struct Signal {
        /// Seconds from the export's beginning.
        var after: TimeInterval
        var number: Int32 = 15
    }
}

/// An export under way: the machine, and what the process around it holds.
struct WorldExport {
    let id: Int
    let plan: ExportPlan
    var machine: ExportMachine
    var wakeAt = Date.distantFuture
    var inFlight: [RequestID: RunItem?] = [:]
    /// The runs that it has asked for.
    var fetched: Set<RunKey> = []
    var hasCancelled = (reads: false, posts: false)
    var isDatabaseLost = false
    /// For a moment at least, others may have taken it for dead.
    var hasLostLock = false
    var steps = 0
    var record: Record

    /// What is left of an export when it is over.
    struct Record {
        let id: Int
        let beganAt: Date
        var endedAt: Date
        /// nil: it was killed.
        var ending: Result<Ending, any Error>?
        var log: [String] = []
        var tally = Tally()
        var mostInFlight = 0

        var seconds: TimeInterval { endedAt.timeIntervalSince(beganAt) }
        var successfulEnding: Ending? { try? ending?.get() }
        func logged(_ text: String) -> Int { log.count { $0.contains(text) } }
    }

    init(id: Int, plan: ExportPlan, machine: ExportMachine, at now: Date) {
        self.id = id
        self.plan = plan
        self.machine = machine
        record = Record(id: id, beganAt: now, endedAt: now)
    }
}

/// Chance that a machine may be handed: the same course from the same seed.
final class Dice: Sendable {
    private let state: Mutex<SplitMix>

    init(_ seed: UInt64) { state = Mutex(SplitMix(state: seed)) }

    func unit() -> Double { state.withLock { $0.unit() } }
    func uuid() -> UUID { state.withLock { $0.uuid() } }
}
