/// Exit statuses, as `sysexits.h` has them where it does.
enum ExitStatus {
    static let complete: Int32 = 0
    static let unexpected: Int32 = 1
    static let completeWithFindings: Int32 = 3
    /// A person has to act before the same command gets further.
    static let needsPerson: Int32 = 4
    static let usage: Int32 = 64
    static let invalidManifest: Int32 = 65
    static let unreachable: Int32 = 69
    static let resultLost: Int32 = 74
    static let incomplete: Int32 = 75
    static let credentialsRefused: Int32 = 77
    static let invalidSetting: Int32 = 78

    /// The status that a shell reports for a process that a signal ended.
    static func interrupted(by signal: Int32) -> Int32 { 128 + signal }

    /// The status of a call that ends with this one, but whose result could not be written. What is graver stays.
    static func withoutResult(_ status: Int32) -> Int32 {
        switch status {
        case unexpected, usage, invalidManifest, unreachable, credentialsRefused, invalidSetting: status
        default: resultLost
        }
    }
}
