import Foundation

@testable import ExportCore
@testable import Exporter

/// One chain of pages as the tests of its decisions take it: page 0 is stored and names the cursor "1".
enum PagingFixture {
    static let now = Date(timeIntervalSince1970: 1_800_000_000)
    static let root = RunKey(
        storedActionID: UUID(uuidString: "4f4e0000-0000-4000-8000-000000000001")!,
        runID: UUID(uuidString: "9b1d0000-0000-4000-8000-000000000001")!)
    static let intentID = UUID(uuidString: "11110000-0000-4000-8000-000000000001")!
    static let otherIntentID = UUID(uuidString: "11110000-0000-4000-8000-000000000002")!
    static let pageRunID = UUID(uuidString: "9b1d0000-0000-4000-8000-000000000002")!
    static let inputsHash = [UInt8](repeating: 7, count: 32)
    static let otherInputsHash = [UInt8](repeating: 8, count: 32)

    static func chain(_ change: (inout Chain) -> Void = { _ in }) -> Chain {
        var chain = Chain(root: root)
        chain.pages = 1
        chain.cursor = "1"
        chain.inputsHash = inputsHash
        change(&chain)
        return chain
    }

    /// The request for the chain's next page.
    static func submission(_ chain: Chain = chain(), intentID: UUID = intentID) -> PageFollower.Submission {
        PageFollower.Submission(
            root: chain.root, pageNumber: chain.pages, cursor: chain.cursor ?? "", attempt: chain.failedAttempts + 1,
            intentID: intentID, inputsHash: inputsHash)
    }

    static func attempt(
        _ runID: UUID? = pageRunID, askedAt: Date = now, seenAlive: Bool = false, isInFlight: Bool = false
    ) -> Chain.Attempt {
        Chain.Attempt(
            intentID: intentID, runID: runID, askedAt: askedAt, seenAlive: seenAlive, isInFlight: isInFlight)
    }

    /// The page's run as it is to be fetched.
    static func item(_ runID: UUID = pageRunID, askedAt: Date = now, seenAlive: Bool = false) -> RunItem {
        var item = RunItem(
            key: RunKey(storedActionID: root.storedActionID, runID: runID),
            expiresAt: askedAt + 7 * 86_400, seenAlive: seenAlive)
        item.page = PageOfChain(root: root, submittedAt: askedAt)
        return item
    }
}
