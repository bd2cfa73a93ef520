import ActionsAPI
import NIOCore
import NIOPosix

/// The thread that does the network's work. One serves any number of connections, faster than any API answers: more
/// would only hand each request from thread to thread.
package enum EventLoops {
    package static let count = 1
    /// What each has open: a poll, a timer and an event.
    package static let descriptorsEach = 3

    /// To be called before the first connection is made.
    package static func configure() { NIOSingletons.groupLoopCountSuggestion = count }

    /// Runs tasks between what the network brings. Those that wait for an answer are not woken on another thread then.
    /// Nothing there may block, or compute for long.
    package static let executor: any TaskExecutor = EventLoopExecutor(MultiThreadedEventLoopGroup.singleton.next())
}

private final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
