import Foundation
import Postgres
import Support
import Testing

@Suite("Values on their way to the server and back")
struct ValueTests {
    static let strings = [
        "", " ", "NULL", "null", #"back\slash"#, #""quoted""#, "it's", "{a,b}", "a,b", "line\nbreak\r\t", "ünï→🙂",
        "e\u{301}", "\u{1}\u{7F}", "$1", "--",
    ]
    static let dates = [
        Date(timeIntervalSinceReferenceDate: 0), Date(timeIntervalSinceReferenceDate: 816_861_000.123456),
        Date(timeIntervalSinceReferenceDate: -31_622_400.000001),
        Date(timeIntervalSinceReferenceDate: -2_000_000_000.000001),
        Date(timeIntervalSinceReferenceDate: 3_124_137_600.999999),
    ]

    @Test("A text arrives as it is, also with quotes, backslashes and nothing in it", arguments: strings)
    func texts(string: String) async throws {
        let connection = try await TestServer.connect()
        let row = try await connection.query(
            "select $1 as value, octet_length($1) as bytes, $2 as again", [.text(string), .texts([string])])[0]
        #expect(try Array(row.decode("value", as: String.self).utf8) == Array(string.utf8))
        #expect(try row.decode("bytes", as: Int.self) == string.utf8.count)
    }

    @Test("An array arrives element by element, nulls among them, and an empty one is empty")
    func arrays() async throws {
        let connection = try await TestServer.connect()
        let ids = [UUID(), nil, UUID()]
        let rows = try await connection.query(
            """
            select item.* from unnest($1::text[], $2::bigint[], $3::boolean[], $4::uuid[], $5::timestamptz[], $6::jsonb[])
                     with ordinality as item (text, int, bool, uuid, date, json, position)
             order by position
            """,
            [
                .texts(["NULL", nil, #"{"a",\}"#]), .ints([.max, nil, .min]), .bools([true, nil, false]), .uuids(ids),
                .timestamps([Self.dates[1], nil, Self.dates[3]]),
                .jsons([Array(#"{"a": 1.10}"#.utf8)[...], nil, Array("null".utf8)[...]]),
            ])
        #expect(try rows.map { try $0.decode("text", as: String?.self) } == ["NULL", nil, #"{"a",\}"#])
        #expect(try rows.map { try $0.decode("int", as: Int?.self) } == [.max, nil, .min])
        #expect(try rows.map { try $0.decode("bool", as: Bool?.self) } == [true, nil, false])
        #expect(try rows.map { try $0.decode("uuid", as: UUID?.self) } == ids)
        #expect(try rows.map { try $0.decode("date", as: Date?.self) } == [Self.dates[1], nil, Self.dates[3]])
        #expect(try rows.map { try $0.decode("json", as: String?.self) } == [#"{"a": 1.10}"#, nil, "null"])

        let strings = try await connection.query(
            "select item from unnest($1::text[]) with ordinality as t (item, n) order by n", [.texts(Self.strings)])
        #expect(try strings.map { try $0.decode("item", as: String.self) } == Self.strings)
        let empty = try await connection.query("select cardinality($1) as length", [.texts([])])
        #expect(try empty[0].decode("length", as: Int.self) == 0)
    }

    @Test("Integers, booleans, UUIDs and bytes arrive exactly")
    func scalars() async throws {
        let connection = try await TestServer.connect()
        let id = UUID()
        let bytes = (0...255).map { UInt8($0) }
        let row = try await connection.query(
            "select $1 as min, $2 as max, $3 as yes, $4 as no, $5 as id, $6 as bytes, $7 as none, 7::int2 as small",
            [.int(.min), .int(.max), .bool(true), .bool(false), .uuid(id), .bytes(bytes), .bytes([])])[0]
        #expect(try row.decode("min", as: Int.self) == .min)
        #expect(try row.decode("max", as: Int64.self) == .max)
        #expect(try row.decode("yes", as: Bool.self))
        #expect(try !row.decode("no", as: Bool.self))
        #expect(try row.decode("id", as: UUID.self) == id)
        #expect(try row.decode("bytes", as: [UInt8].self) == bytes)
        #expect(try row.decode("none", as: [UInt8].self) == [])
        #expect(try row.decode("small", as: Int.self) == 7)
    }

    @Test("A null of each type is null")
    func nulls() async throws {
        let connection = try await TestServer.connect()
        let row = try await connection.query(
            "select num_nulls($1, $2, $3, $4, $5, $6, $7, $8::text) as nulls",
            [.text(nil), .int(nil), .bool(nil), .uuid(nil), .timestamp(nil), .bytes(nil), .json(nil), .null])[0]
        #expect(try row.decode("nulls", as: Int.self) == 8)
    }

    @Test("A date keeps its microseconds, and the server reads the same instant", arguments: dates)
    func microseconds(date: Date) async throws {
        let connection = try await TestServer.connect()
        let row = try await connection.query(
            "select $1 as date, (extract(epoch from $1) * 1000000)::bigint as microseconds", [.timestamp(date)])[0]
        #expect(try row.decode("date", as: Date.self) == date)
        #expect(
            try row.decode("microseconds", as: Int.self) == Int((date.timeIntervalSince1970 * 1_000_000).rounded()))
    }

    @Test("JSON keeps every digit of a number")
    func json() async throws {
        let connection = try await TestServer.connect()
        let text = #"{"n": 12345678901234567890.012345678901234567890, "s": "ü\"\\"}"#
        let row = try await connection.query(
            "select $1 as first, $2 as second", [.json(text), .json(bytes: Array(text.utf8))])[0]
        #expect(try row.decode("first", as: String.self) == text)
        #expect(try row.decode("second", as: String.self) == text)
    }

    @Test(
        "A value that PostgreSQL cannot hold is refused, not changed",
        arguments: [
            .text("a\0b"), .texts(["a\0b"]), .json(#"{"a": "\#u{0}"}"#), .json("{"), .json(#""\u0000""#),
            .timestamp(Date(timeIntervalSinceReferenceDate: .infinity)), .timestamp(.init(timeIntervalSince1970: 1e13)),
            .timestamp(Date(timeIntervalSinceReferenceDate: .nan)),
            .timestamps([nil, Date(timeIntervalSince1970: 1e30)]),
        ] as [PostgresParameter])
    func refusals(parameter: PostgresParameter) async throws {
        let connection = try await TestServer.connect()
        let error = try await failure { try await connection.query("select $1", [parameter]) }
        #expect(error.kind == .data)
        #expect(await connection.isUsable)
    }

    @Test("A statement with a NUL is refused, not cut there")
    func nulInStatement() async throws {
        let connection = try await TestServer.connect()
        #expect(try await failure { try await connection.query("select 1\0, x") }.kind == .data)
        #expect(try await failure { try await connection.execute(script: "select 1;\0 x") }.kind == .data)
    }

    @Test(
        "Reading a column as what it is not is an error that names it",
        arguments: [
            "select 'x'::text as payload", "select null::bigint as payload", "select 1.5 as payload", "select 1 as p",
        ])
    func mismatches(sql: String) async throws {
        let row = try await TestServer.connect().query(sql)[0]
        let error = try #require(throws: PostgresError.self) { try row.decode("payload", as: Int.self) }
        #expect(error.description.contains("payload"))
    }

    @Test("An infinite timestamp is no date")
    func infinity() async throws {
        let row = try await TestServer.connect().query("select 'infinity'::timestamptz as at")[0]
        #expect(throws: PostgresError.self) { try row.decode("at", as: Date?.self) }
    }

    @Test("A statement tells how many rows it touched")
    func affectedRows() async throws {
        let connection = try await TestServer.connect()
        try await connection.execute(script: "create temp table t (a int)")
        let inserted = try await connection.query("insert into pg_temp.t select generate_series(1, $1)", [.int(17)])
        #expect(inserted.affectedRows == 17)
        #expect(inserted.isEmpty)
        #expect(try await connection.query("delete from pg_temp.t where a > 20").affectedRows == 0)
    }

    @Test("A quoted identifier names exactly that column")
    func identifiers() async throws {
        let name = #"weird "name"; select"#
        let row = try await TestServer.connect().query("select 1 as \(quoteIdentifier(name))")[0]
        #expect(try row.decode(name, as: Int.self) == 1)
    }
}
