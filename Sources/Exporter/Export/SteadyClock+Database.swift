import ExportCore
import Foundation
import Logging
import Postgres

extension SteadyClock {
    /// A clock that goes as the database's does, for all that decides about data: a host whose clock is wrong must not
    /// take young runs for expired, or prune what has just arrived. A host that is far off is warned about.
    package func ofDatabase(on session: PostgresSession, logger: Logger) async throws -> SteadyClock {
        var best: (roundTrip: TimeInterval, difference: ClockDifference)?
        // A first try may have to connect: what took long is asked again.
        for _ in 1...3 where best.map({ $0.roundTrip > 0.5 }) ?? true {
            let askedAt = now
            let rows = try await session.query("select clock_timestamp() as time")
            let answeredAt = now
            guard let time = try rows.first?.decode("time", as: Date.self) else { continue }
            let roundTrip = answeredAt.timeIntervalSince(askedAt)
            let difference = ClockDifference(answer: time, askedAt: askedAt, answeredAt: answeredAt)
            if best.map({ roundTrip < $0.roundTrip }) ?? true { best = (roundTrip, difference) }
        }
        guard let difference = best?.difference else { return self }
        if let text = ClockDifference(seconds: -difference.seconds).text {
            logger.warning(
                """
                the clock of this host is \(text) the database's, which determines what has expired and what is old: \
                set this host's clock
                """)
        }
        return ahead(by: difference.seconds)
    }
}
