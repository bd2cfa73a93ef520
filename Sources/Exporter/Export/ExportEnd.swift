import ExportCore

/// How a call of `export` came to its end.
package enum ExportEnd: Sendable {
    /// Another export of a manifest was running, and `--if-locked skip` was given. `holder`: nil if it let go of the
    /// lock meanwhile.
    case skipped(holder: LockHolder?)
    /// The export stopped in good order.
    case ended(Ending, ExportVerdict)
    /// An error broke it off.
    case failed(any Error)
}

/// How an export ended, as `exports.outcome` spells it.
package enum ExportOutcome: String, Sendable {
    case complete, incomplete, failed, interrupted
    /// Another export was running: this one has no row.
    case skipped
}

/// What the row of an export keeps of its end. The caller's words and its exit status: the library has neither.
package struct ExportRecord: Sendable, Equatable {
    package var outcome: ExportOutcome
    package var exitStatus: Int32
    /// For people, cut to 1000 characters; nil where the outcome says it all.
    package var reason: String?

    package init(outcome: ExportOutcome, exitStatus: Int32, reason: String?) {
        self.outcome = outcome
        self.exitStatus = exitStatus
        self.reason = reason
    }
}

/// An export that an error broke off after it had begun, with what it had done by then.
package struct BrokenOffExport: Error {
    package var cause: any Error
    package var summary: Summary?
}
