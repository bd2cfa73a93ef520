import ActionsAPI
import Benchmark
import Foundation
import JSONText
import Postgres

/// What is done with the bytes of a large body.
func bodies() {
    Benchmark("validator") { benchmark in
        for _ in benchmark.scaledIterations { blackHole(try JSONValue(validating: Sample.body.bytes)) }
    }

    Benchmark("splitter") { benchmark in
        for _ in benchmark.scaledIterations {
            guard case .finished(_, let result) = RunAnswer(Sample.response, runID: Sample.runID) else {
                return benchmark.error("the body is not a result")
            }
            var bytes = 0
            for object in result.results where object.jsonbForm() == .exact { bytes += object.bytes.count }
            blackHole(bytes)
        }
    }

    /// Of the client alone: the server's CPU is not this process's. Needs the `PG*` variables.
    Benchmark("COPY encoder") { benchmark in
        let session = PostgresSession(PostgresConfiguration())
        let objects = Array(try JSONValue(validating: Sample.body.bytes)["results"]?.elements() ?? JSONElements())
        _ = try await session.query(
            """
            create unlogged table if not exists public.micro
              (run_id uuid, item_index int, stored_action_id uuid, payload jsonb, payload_raw bytea, export_id bigint)
            """)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            try await session.transaction { transaction in
                _ = try transaction.copy(
                    into: "public.micro",
                    columns: ["run_id", "item_index", "stored_action_id", "payload", "payload_raw", "export_id"]
                ) { writer in
                    for (index, object) in objects.enumerated() {
                        try writer.beginRow()
                        try writer.uuid(Sample.runID)
                        try writer.int4(Int32(index))
                        try writer.uuid(Sample.runID)
                        try writer.jsonb(object.bytes)
                        try writer.bytea(nil as [UInt8]?)
                        try writer.int8(1)
                    }
                }
            } wasCommitted: { _ in
                false
            }
        }
        benchmark.stopMeasurement()
        _ = try await session.query("truncate public.micro")
        await session.close()
    }
}
