import ActionsAPI
import NIOCore
import NIOPosix

/// The threads that do the network's work. A few serve any number of connections; one for each of many cores would only
/// take descriptors and address space.
package enum EventLoops {
    package static let count = min(System.coreCount, 4)
    /// What each has open: a poll, a timer and an event.
    package static let descriptorsEach = 3

    /// To be called before the first connection is made.
    package static func configure() { NIOSingletons.groupLoopCountSuggestion = count }
}
