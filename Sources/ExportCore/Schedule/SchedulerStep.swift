import Foundation

extension Scheduler {
    struct Options: Sendable {
        var concurrency: Int
        /// How long to go on polling once nothing else is left; zero polls nothing again.
        var maxWait: Duration
        /// Items read from a queue at a time.
        var batchSize = 1000
        /// Chains read at a time: those in memory, at work or waiting, are among them, and others are to come with
        /// them.
        var chainBatchSize: Int { 3 * batchSize }
        /// Answers that may wait for their commit before no new request goes out.
        var uncommitted = 4000
        /// Stored pages are fetched again too.
        var refetch = false
    }

    enum Step: Equatable, Sendable {
        case fetch(RunItem)
        /// Ask what the stored action is.
        case lookUp(UUID)
        /// The next page of that chain may be asked for: a slot of the runs bucket is taken.
        case post(RunKey)
        /// Read that chain again.
        case lookAgain(RunKey)
        /// Take the next batch of the queue from the work list.
        case read(WorkQueue)
        /// Open the next step of the export.
        case open
        /// Nothing to do before then, or before the next event.
        case wait(until: Date?)
        /// Every item is done with, as far as this export goes.
        case done
    }
}
