import ExportCore
import Foundation
import Logging
import Postgres

/// Connects a session that takes the export's lock, and decides what happens while another export holds it.
struct LockWait: Sendable {
    let ifLocked: IfLocked
    let clock: SteadyClock
    let logger: Logger

    /// The session of a killed export may linger on the server for this many seconds.
    private static let patience: TimeInterval = 2

    /// - Returns: who holds the lock, if another export of the manifest is running and this one is to be skipped; nil
    ///   once the session has the lock.
    /// - Throws: `ExportLock.Taken` if it is to fail, or if the other one hangs: if it were always skipped, it would
    ///   never be noticed. `PostgresError`; `CancellationError`.
    func connect(_ session: PostgresSession) async throws -> ExportLock.Taken? {
        let begin = clock.now
        var waitingFor: String?
        var hasWarned = false
        while true {
            do {
                try await session.connect()
                if let waitingFor {
                    let time = Int(clock.now.timeIntervalSince(begin).rounded())
                    logger.notice("the other export of \"\(waitingFor)\" has ended: going on after \(time) s")
                }
                return nil
            } catch let taken as ExportLock.Taken {
                guard clock.now >= begin + Self.patience else {
                    try await clock.sleep(until: clock.now + 0.1)
                    continue
                }
                switch ifLocked {
                case .fail: throw taken
                case .skip where taken.holder?.hang != nil: throw taken
                case .skip: return taken
                case .wait: break
                }
                let holder = taken.holder?.description ?? "it is just ending"
                if waitingFor == nil {
                    waitingFor = taken.name
                    logger.notice("waiting: another export of \"\(taken.name)\" is running (\(holder))")
                }
                if let reason = taken.holder?.hang, !hasWarned {
                    hasWarned = true
                    logger.warning("the export of \"\(taken.name)\" hangs (\(holder)): \(reason)")
                }
                try await clock.sleep(until: clock.now + 1)
            }
        }
    }
}
