import ActionsAPI
import Synchronization

/// Exchanges of refresh tokens that have begun: were the process to end within one, the new token could be lost, and
/// the old one is spent.
package final class ExchangesUnderWay: Sendable {
    private let count = Atomic(0)

    package init() {}

    package var isEmpty: Bool { count.load(ordering: .sequentiallyConsistent) == 0 }

    func during<R>(_ exchange: () async throws -> R) async rethrows -> R {
        count.add(1, ordering: .sequentiallyConsistent)
        defer { count.subtract(1, ordering: .sequentiallyConsistent) }
        return try await exchange()
    }
}
