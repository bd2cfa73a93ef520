import Benchmark
import BenchmarkParts
import Postgres

/// A COPY of the objects of a large body, through libpq to a server: only this process's CPU counts. It needs the `PG*`
/// variables.
func copyEncoder() {
    Benchmark("COPY encoder") { benchmark in
        let session = PostgresSession(PostgresConfiguration())
        let rows = try SampleRows()
        _ = try await session.query("drop table if exists public.micro")
        _ = try await session.query("create unlogged table public.micro (\(SampleRows.definition))")
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            try await session.transaction { transaction in
                _ = try transaction.copy(into: "public.micro", columns: SampleRows.columns) { try rows.write(to: &$0) }
            } wasCommitted: { _ in
                false
            }
        }
        benchmark.stopMeasurement()
        await session.close()
    }
}
