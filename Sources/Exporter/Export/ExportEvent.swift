import Foundation

extension ExportLoop {
    /// What the loop waits for.
    enum Event: Sendable {
        case answered(RunItem, Fetch.Result, at: Date)
        case lookedUp(UUID, PageRequests.LookUpResult, at: Date)
        case posted(RunKey, PageRequests.PostResult, at: Date)
        case chain(RunKey, ChainNews)
        case refilledChains(Result<[OpenChain], any Error>)
        case committed(Result<[Commit], any Error>)
        case refilled(WorkQueue, Result<[RunItem], any Error>)
        case refilledPolls(Result<[PollDue], any Error>)
        case interrupted(signal: Int32)
        case woke
    }
}

/// A poll and when it is due.
typealias PollDue = (item: RunItem, at: Date)

func result<T>(_ body: () async throws -> T) async -> Result<T, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
}
