import ActionsAPI
import ExportCore
import Postgres

/// Exit statuses, as `sysexits.h` has them where it does.
package enum ExitStatus {
    package static let complete: Int32 = 0
    package static let unexpected: Int32 = 1
    package static let completeWithFindings: Int32 = 3
    /// A person has to act before the same command gets further.
    package static let needsPerson: Int32 = 4
    package static let usage: Int32 = 64
    package static let invalidManifest: Int32 = 65
    package static let unreachable: Int32 = 69
    package static let resultLost: Int32 = 74
    package static let incomplete: Int32 = 75
    package static let credentialsRefused: Int32 = 77
    package static let invalidSetting: Int32 = 78

    /// As a shell tells a process that a signal ended.
    package static func interrupted(by signal: Int32) -> Int32 { 128 + signal }

    /// The status of a call that ends with this one, but whose result could not be written. What is graver stays.
    package static func withoutResult(_ status: Int32) -> Int32 {
        switch status {
        case unexpected, usage, invalidManifest, unreachable, credentialsRefused, invalidSetting: status
        default: resultLost
        }
    }

    /// The status of a call that this error ended. An error that nobody foresaw is a bug: 1.
    package static func of(_ error: any Error) -> Int32 {
        switch error {
        case let error as BrokenOffExport: of(error.cause)
        case is ManifestProblems: invalidManifest
        // The temporary directory is a setting, and has no room.
        case is SpoolError, is SchemaProblem: invalidSetting
        case is ExportLock.Taken, is ExportHistory.Locked: incomplete
        case is TransportError: unreachable
        case let error as TokenError: of(error)
        case let error as PostgresError: of(error)
        default: unexpected
        }
    }

    private static func of(_ error: TokenError) -> Int32 {
        switch error.kind {
        case .refused: credentialsRefused
        case .invalidSetting: invalidSetting
        case .unreachable: unreachable
        }
    }

    private static func of(_ error: PostgresError) -> Int32 {
        switch error.kind {
        case .unreachable, .connectionLost, .commitUnknown, .shutdown, .resources, .conflict, .timeLimit: unreachable
        case .lockNotAvailable, .cancelled: incomplete
        case .authentication, .permission, .setting, .rowsDropped: invalidSetting
        // No such database; or no server was asked.
        case .other where error.sqlstate == "3D000" || error.sqlstate == nil: invalidSetting
        case .data, .other: error.isSchemaFault || error.isDatabasePolicy ? invalidSetting : unexpected
        }
    }

    /// The outcome of an export that ended with this status, as the table `exports` tells it.
    package static func exportOutcome(_ status: Int32) -> String {
        switch status {
        case complete, completeWithFindings: "complete"
        case incomplete, needsPerson: "incomplete"
        case 129...: "interrupted"
        default: "failed"
        }
    }
}
