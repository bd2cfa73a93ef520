import Exporter

/// What does not get better until a person acts.
struct Attention: Sendable, Equatable {
    /// For people, one sentence each.
    private(set) var points: [String] = []
    /// Of `status --check`: 4 if the same export gets no further, 3 if something was found that does not hold it up.
    private(set) var exitStatus = ExitStatus.complete

    init(_ history: ExportHistory) {
        let doubts = history.left.chainsInDoubtCount
        if doubts > 0 {
            needsPerson(
                "\(doubts) \(doubts == 1 ? "page is" : "pages are") in doubt, to be settled by stored-actions resolve")
        }
        for lock in history.locks {
            if let reason = lock.hang {
                needsPerson("the export of \"\(lock.name)\" hangs (\(lock.description)): \(reason)")
            }
        }
        if let newest = history.exports.first(where: { $0.outcome != "running" }), let status = newest.exitStatus,
            [ExitStatus.credentialsRefused, ExitStatus.invalidSetting].contains(status)
        {
            let reason = newest.reason.map { ": \($0)" } ?? ""
            needsPerson("the newest export, \(newest.exportID), ended with \(status)\(reason)")
        }
        let rejects = history.left.rejects
        if rejects > 0 {
            points.append(
                "PostgreSQL refused \(rejects) \(rejects == 1 ? "part" : "parts") of answers, kept in stored_actions.rejects: "
                    + "export --refetch stores them once the reason is gone; delete the rows that you have dealt with")
            if exitStatus == ExitStatus.complete { exitStatus = ExitStatus.completeWithFindings }
        }
    }

    private mutating func needsPerson(_ point: String) {
        points.append(point)
        exitStatus = ExitStatus.needsPerson
    }
}
