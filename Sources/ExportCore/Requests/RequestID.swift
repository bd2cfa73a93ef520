import Foundation

/// The requests that share a rate window.
package enum Bucket: Hashable, Sendable { case reads, runs }

/// What a request in flight asks for: there is one of each at most.
package enum RequestID: Hashable, Sendable {
    case run(RunKey)
    case lookUp(UUID)
    /// A page of that chain.
    case page(RunKey)

    var bucket: Bucket {
        switch self {
        case .run, .lookUp: .reads
        case .page: .runs
        }
    }
}
