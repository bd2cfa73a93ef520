import Foundation
import Postgres
import Support
import Testing

@Suite("COPY")
struct CopyTests {
    @Test("Every type arrives exactly, its null too")
    func types() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(
            script: """
                create temp table t (id uuid, small int, big bigint, name text, yes boolean, at timestamptz,
                                     payload jsonb, raw bytea, notes text[])
                """)
        let columns = ["id", "small", "big", "name", "yes", "at", "payload", "raw", "notes"]
        let id = UUID()
        let at = Date(timeIntervalSince1970: 1_795_168_200.123456)
        let payload = #"{"n": 1.10, "s": "\"\\ü", "z": [12345678901234567890]}"#
        let rows = try await connection.transaction { transaction in
            try transaction.copy(into: "pg_temp.t", columns: columns) { writer in
                try writer.beginRow()
                try writer.uuid(id)
                try writer.int4(.min)
                try writer.int8(.max)
                try writer.text(#"NULL \N "x", é"#)
                try writer.bool(true)
                try writer.timestamptz(at)
                try writer.jsonb(payload.utf8)
                try writer.bytea([0, 255, 92])
                try writer.texts(["", "NULL", #"a"b,\}"#])
                try writer.beginRow()
                try writer.uuid(nil)
                try writer.int4(nil)
                try writer.int8(nil)
                try writer.text(nil)
                try writer.bool(nil)
                try writer.timestamptz(nil)
                try writer.jsonb(ArraySlice<UInt8>?.none)
                try writer.bytea([UInt8]?.none)
                try writer.texts(nil)
            }
        }
        #expect(rows == 2)
        let stored = try await connection.query(
            """
            select id, small, big, name, yes, at, payload, raw, notes = array['', 'NULL', 'a"b,\\}'] as same,
                   num_nulls(id, small, big, name, yes, at, payload, raw, notes) as nulls
              from pg_temp.t order by nulls
            """)
        #expect(try stored[0].decode("id", as: UUID.self) == id)
        #expect(try stored[0].decode("small", as: Int.self) == Int(Int32.min))
        #expect(try stored[0].decode("big", as: Int.self) == .max)
        #expect(try stored[0].decode("name", as: String.self) == #"NULL \N "x", é"#)
        #expect(try stored[0].decode("yes", as: Bool.self))
        #expect(try stored[0].decode("at", as: Date.self) == at)
        #expect(try stored[0].decode("payload", as: String.self) == payload)
        #expect(try stored[0].decode("raw", as: [UInt8].self) == [0, 255, 92])
        #expect(try stored[0].decode("same", as: Bool.self))
        #expect(try stored[1].decode("nulls", as: Int.self) == 9)
    }

    @Test("Rows that a trigger drops are missed", arguments: [1, 3])
    func droppedRows(count: Int) async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(
            script: """
                create temp table t (a int);
                create function pg_temp.drop_odd() returns trigger language plpgsql as
                  $$ begin if new.a % 2 = 1 then return null; end if; return new; end $$;
                create trigger drop_odd before insert on t for each row execute function pg_temp.drop_odd();
                """)
        let error = await #expect(throws: PostgresError.self) {
            try await connection.transaction { transaction in
                try transaction.copy(into: "pg_temp.t", columns: ["a"]) { writer in
                    for number in 1...count {
                        try writer.beginRow()
                        try writer.int4(Int32(number))
                    }
                }
            }
        }
        #expect(error?.kind == .rowsDropped)
        #expect(error?.message == "a trigger dropped \((count + 1) / 2) of \(count) rows")
        #expect(try await connection.query("select from pg_temp.t").count == 0)
        #expect(await connection.isUsable)
    }

    @Test("A hundred thousand rows arrive, each once")
    func manyRows() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int primary key, b text)")
        let rows = try await connection.transaction { transaction in
            try transaction.copy(into: "pg_temp.t", columns: ["a", "b"]) { writer in
                for number in 0..<100_000 {
                    try writer.beginRow()
                    try writer.int4(Int32(number))
                    try writer.text("row \(number)")
                }
            }
        }
        #expect(rows == 100_000)
        let stored = try await connection.query(
            "select count(*) as rows, sum(a)::bigint as sum from pg_temp.t where b = 'row ' || a")[0]
        #expect(try stored.decode("rows", as: Int.self) == 100_000)
        #expect(try stored.decode("sum", as: Int.self) == 4_999_950_000)
    }

    @Test("A value of 64 MiB arrives whole, from an array and from a sequence of pieces")
    func largeValue() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int, raw bytea)")
        let bytes = Self.patterned(count: 64 << 20)
        _ = try await connection.transaction { transaction in
            try transaction.copy(into: "pg_temp.t", columns: ["a", "raw"]) { writer in
                try writer.beginRow()
                try writer.int4(1)
                try writer.bytea(bytes)
                try writer.beginRow()
                try writer.int4(2)
                try writer.bytea(bytes.prefix(200_000).lazy.map { $0 })
            }
        }
        let rows = try await connection.query("select raw from pg_temp.t order by a")
        let stored = try rows[0].decode("raw", as: [UInt8].self)
        try #require(stored.count == bytes.count)
        #expect(memcmp(stored, bytes, bytes.count) == 0)
        #expect(try rows[1].decode("raw", as: [UInt8].self) == Array(bytes.prefix(200_000)))
    }

    private static func patterned(count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xA5, count: count)
        for place in stride(from: 0, to: count, by: 65_521) { bytes[place] = UInt8(truncatingIfNeeded: place) }
        return bytes
    }

    @Test("A row that the server refuses rolls everything back and is named", arguments: [1, 90_000])
    func refusedRow(at refused: Int) async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int check (a >= 0), b text)")
        let error = try await failure {
            try await connection.transaction { transaction in
                try transaction.execute(script: "insert into pg_temp.t values (1, 'before')")
                return try transaction.copy(into: "pg_temp.t", columns: ["a", "b"]) { writer in
                    for number in 0..<100_000 {
                        try writer.beginRow()
                        try writer.int4(number == refused ? -1 : 1)
                        try writer.text("some text to fill the chunks with")
                    }
                }
            }
        }
        #expect(error.sqlstate == "23514" && error.kind == .data)
        #expect(error.context?.contains("line \(refused + 1)") == true)
        #expect(await connection.isUsable)
        #expect(try await connection.query("select a from pg_temp.t").isEmpty)
    }

    @Test(
        "A NUL in a text and broken JSON are refused", arguments: [("a\0b", "{}"), ("ab", "{"), ("ab", #""\u0000""#)])
    func refusedValue(text: String, json: String) async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a text, b jsonb)")
        let error = try await failure {
            try await connection.transaction { transaction in
                try transaction.copy(into: "pg_temp.t", columns: ["a", "b"]) { writer in
                    try writer.beginRow()
                    try writer.text(text)
                    try writer.jsonb(json.utf8)
                }
            }
        }
        #expect(error.kind == .data)
    }

    @Test("A writer that throws ends the COPY without its rows, and its own error is reported")
    func throwingWriter() async throws {
        struct Refusal: Error {}
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int)")
        await #expect(throws: Refusal.self) {
            try await connection.transaction { transaction in
                try transaction.copy(into: "pg_temp.t", columns: ["a"]) { writer in
                    for _ in 0..<50_000 {
                        try writer.beginRow()
                        try writer.int4(1)
                    }
                    throw Refusal()
                }
            }
        }
        #expect(await connection.isUsable)
        #expect(try await connection.query("select a from pg_temp.t").isEmpty)
    }

    @Test("A row with a field too few or too many is refused before the server sees it", arguments: [0, 1, 3])
    func fieldCount(fields: Int) async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int, b int)")
        let error = try await failure {
            try await connection.transaction { transaction in
                try transaction.copy(into: "pg_temp.t", columns: ["a", "b"]) { writer in
                    try writer.beginRow()
                    for _ in 0..<fields { try writer.int4(1) }
                }
            }
        }
        #expect(error.kind == .other && error.sqlstate == nil)
        #expect(error.message.contains("fields"))
    }

    @Test("A COPY whose session a pooler ends is made again on a new connection")
    func endedSession() async throws {
        try await TestServer.withDatabase { configuration in
            let proxy = try FaultyProxy(before: TestServer(), faults: [.endedInCopy])
            defer { proxy.close() }
            let direct = try await PostgresConnection(configuration)
            try await direct.execute(script: "create table public.t (a int)")
            let string = "host=127.0.0.1 port=\(proxy.port) \(configuration.connectionString ?? "")"
            let session = PostgresSession(
                PostgresConfiguration(connectionString: string), clock: ScriptedClock())
            let runs = Counter()
            let rows = try await session.transaction { transaction -> Int in
                runs.increment()
                return try transaction.copy(into: "public.t", columns: ["a"]) { writer in
                    try writer.beginRow()
                    try writer.int4(1)
                }
            } wasCommitted: { _ in
                false
            }
            #expect(rows == 1 && runs.value == 2)
            #expect(try await direct.query("select a from public.t").count == 1)
            await session.close()
        }
    }

    @Test("A table that is not there is the server's error")
    func missingTable() async throws {
        let connection = try await TestServer.connect()
        let error = try await failure {
            try await connection.transaction { try $0.copy(into: "pg_catalog.nowhere", columns: ["a"]) { _ in } }
        }
        #expect(error.sqlstate == "42P01")
        #expect(error.operation == "copy into pg_catalog.nowhere")
    }
}
