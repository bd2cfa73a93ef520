import ExportCore
import Logging
import Postgres

/// The loaders of an export: the first on the connection that holds its lock, the second on one of its own, which is
/// made when there is first a full batch while another is being committed.
///
/// What keeps two exports from doubling a row keeps two lanes from it: rows are locked in key order, and no run is in
/// two batches at a time.
actor LoaderLanes {
    private let lanes: [Loader]
    private let laterSession: PostgresSession
    private var busy: Set<Int> = []

    init(
        session: PostgresSession, exportID: Int, refetch: Bool, database: PostgresConfiguration, logger: Logger
    ) {
        laterSession = PostgresSession(database, observer: DatabaseLog(database: database, logger: logger))
        lanes = [session, laterSession].enumerated().map { lane, session in
            Loader(session: session, exportID: exportID, refetch: refetch, lane: lane)
        }
    }

    /// See `Loader.commit`. A commit for which no lane is free waits for the first.
    func commit(_ batch: [FetchedRun], requests: RequestCount) async throws -> [Commit] {
        let lane = lanes.indices.first { !busy.contains($0) } ?? 0
        busy.insert(lane)
        defer { busy.remove(lane) }
        return try await lanes[lane].commit(batch, requests: requests)
    }

    /// Rows of results and of errors, so far.
    var stored: (results: Int, errors: Int) {
        get async {
            var sum = (results: 0, errors: 0)
            for lane in lanes {
                let stored = await lane.stored
                sum = (sum.results + stored.results, sum.errors + stored.errors)
            }
            return sum
        }
    }

    func close() async { await laterSession.close() }
}
