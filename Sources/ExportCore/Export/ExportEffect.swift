import ActionsAPI
import Foundation

extension ExportMachine {
    /// What happens to an export.
    package enum Event: Sendable {
        /// The first bytes of an answer; its reply follows.
        case headArrived(RequestID, ReplyHead)
        /// With the time when the reply came, as in the next two.
        case fetched(RunItem, Reply<RunAnswer>, at: Date)
        case lookedUp(UUID, Reply<LookUpAnswer>, at: Date)
        case posted(RunKey, Reply<StartAnswer>, at: Date)
        /// What the page is asked for with cannot be read: nothing was sent.
        case inputsUnreadable(RunKey, any Error)
        /// A step of opening the export was committed.
        case opened(Result<OpenedStep, any Error>)
        case queueRead(WorkQueue, Result<[RunItem], any Error>)
        case pollsRead(Result<[PollDue], any Error>)
        /// With the number of chains that were taken from the work list: those that do not go on are left out.
        case chainsRead(Result<[ReadyChain], any Error>, taken: Int)
        /// A chain whose root has just been stored can be followed.
        case chainReady(RunKey, Result<ReadyChain, any Error>)
        case chain(RunKey, ChainResult)
        case remembered(Result<Void, any Error>)
        case committed(Result<[Commit], any Error>)
        /// What was to be shelved is lost.
        case shelvingFailed(any Error)
        case interrupted(signal: Int32)
        case woke

        /// For a message: without what it carries.
        var name: String { Mirror(reflecting: self).children.first?.label ?? "\(self)" }
    }

    /// What is to be done about it.
    package enum Effect: Sendable {
        case fetch(RunItem)
        case lookUp(UUID)
        case post(PageFollower.Submission, manifestPosition: Int?)
        case store(DatabaseWork)
        /// Put it into the work list.
        case shelve(Shelved)
        case cancelReads
        case cancelPosts
        case log(Severity, String)
        /// Send `woke` at that time, in place of any time before.
        case wake(at: Date)
        /// Nothing is left to do.
        case finish
    }

    package enum Severity: Sendable { case info, notice, warning }

    /// What memory has no room for.
    package enum Shelved: Sendable {
        case poll(PollDue)
        /// A chain that goes on, by its root.
        case chain(OpenChain)
    }

    /// What is read from what an export keeps, or written there. An event brings the result of each.
    package enum DatabaseWork: Sendable {
        /// Open the next step of the export.
        case open
        /// Take the next items of the queue from the work list.
        case read(WorkQueue, limit: Int)
        /// Hash the inputs with which the chain's pages are requested, as the manifest has them; then `chainReady`.
        case prepare(OpenChain)
        case commit([FetchedRun], RequestCount)
        case write(ChainWrite, of: RunKey)
        case remember(StoredActionDescription, of: UUID)
    }

    /// A step of a chain in the database.
    package enum ChainWrite: Sendable {
        case intent(PageFollower.Submission)
        case withdrawal(PageFollower.Submission)
        case record(PageFollower.Submission, runID: UUID, at: Date)
        case end(Chain, ChainEnd, failedAttempts: Int, intentID: UUID?)
        case leave(ChainLeft)
        /// Nothing is written: the chain is read again.
        case read
    }

    /// What came of such a step.
    package enum ChainResult: Sendable {
        /// nil: the intent is written.
        case intended(Result<Chain?, any Error>)
        case withdrawn(Result<Void, any Error>)
        /// nil: the run is one of an earlier page.
        case recorded(Result<Chain?, any Error>)
        case read(Result<Chain?, any Error>)
        /// The end, or why this export leaves the chain.
        case closed(Result<Void, any Error>)

        /// What the database could not do.
        var error: (any Error)? {
            switch self {
            case .intended(.failure(let error)), .withdrawn(.failure(let error)), .recorded(.failure(let error)),
                .read(.failure(let error)), .closed(.failure(let error)):
                error
            case .intended, .withdrawn, .recorded, .read, .closed: nil
            }
        }
    }

    /// A chain that goes on, with what this export would ask for its pages with.
    package struct ReadyChain: Sendable {
        var open: OpenChain
        /// nil if the export has nothing to ask with.
        var inputsHash: [UInt8]?

        package init(open: OpenChain, inputsHash: [UInt8]? = nil) {
            self.open = open
            self.inputsHash = inputsHash
        }
    }
}
