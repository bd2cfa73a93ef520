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
        /// Runs that were under way when an export died are in a queue of their own.
        var hasSuspects = false
        /// Stored pages are asked for again too.
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
        /// Read the next batch of the queue, behind the cursor where there is one.
        case read(WorkQueue, after: WorkCursor?)
        /// Nothing to do before then, or before the next event.
        case wait(until: Date?)
        /// Every item is done with, as far as this export goes.
        case done
    }
}
