import Postgres
import Support
import Testing

@Suite("Parts of a transaction that may fail alone")
struct SavepointTests {
    private struct OwnError: Error {}

    @Test("What a part did before it threw is undone, what was done before it stays")
    func alone() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (n int check (n < 10))")
        try await connection.transaction { transaction in
            _ = try transaction.query("insert into pg_temp.t values (1)")
            let taken = try transaction.savepoint { part in
                try part.copy(into: "pg_temp.t", columns: ["n"]) { writer in
                    try writer.beginRow()
                    try writer.int4(2)
                }
            }
            #expect(taken == 1)
            let refused = #expect(throws: PostgresError.self) {
                try transaction.savepoint { part in
                    _ = try part.query("insert into pg_temp.t values (3)")
                    return try part.copy(into: "pg_temp.t", columns: ["n"]) { writer in
                        try writer.beginRow()
                        try writer.int4(11)
                    }
                }
            }
            #expect(refused?.sqlstate == "23514")
            #expect(throws: OwnError.self) {
                try transaction.savepoint { part in
                    _ = try part.query("insert into pg_temp.t values (4)")
                    throw OwnError()
                }
            }
            _ = try transaction.query("insert into pg_temp.t values (5)")
        }
        let rows = try await connection.query("select n from pg_temp.t order by n")
        let numbers: [Int] = try rows.map { try $0.decode("n") }
        #expect(numbers == [1, 2, 5])
    }
}
