import Foundation
import Testing

/// Answers that `jsonb` cannot hold exactly, and whole bodies, through the real program.
@Suite("Raw bytes")
struct RawBytesTests {
    @Test func `Values that jsonb cannot hold exactly are kept as they were sent, and all others in payload alone`()
        async throws
    {
        try await Stage.with { stage in
            let hard = Manifest.Run(.hardValues, number: 99)
            let broken = Manifest.Run(.invalidUTF8, number: 97)
            var manifest = Manifest.of(20, .success, 3)
            manifest.runs += [hard, broken]
            let export = try await stage.export(manifest)
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["success": 22])
            let rows = try await stage.database.rows(
                """
                select item_index, left(payload::text, 24), convert_from(payload_raw, 'UTF8'), payload_notes
                  from results where run_id = $1::uuid order by item_index
                """, [.text(hard.id)])
            #expect(
                rows == [
                    #"0|{"nul": "a\#u{FFFD}b"}|{"nul":"a\u0000b"}|["/nul: \\u0000 became U+FFFD"]"#,
                    #"1|{"lone": "\#u{FFFD}"}|{"lone":"\ud800"}|["/lone: a lone surrogate became U+FFFD"]"#,
                    "2|{\"huge\": 100000000000000||",
                    #"3|{"doubled": 2}|{"doubled":1,"doubled":2}|["/doubled: of 2 values of this key the last one was kept"]"#,
                    #"4|{"minus_zero": 0}||"#,
                    #"5|{"vast": "1e131072"}|{"vast":1e131072}|["/vast: the number 1e131072 is out of range and became a string"]"#,
                    #"6|{"tiny": "1e-20000"}|{"tiny":1e-20000}|["/tiny: the number 1e-20000 is out of range and became a string"]"#,
                    #"7|{"key\#u{FFFD}": 1}|{"key\u0000":1}|["/key\#u{FFFD}: \\u0000 in the key became U+FFFD"]"#,
                    #"8|{"plain": "value"}||"#,
                ])
            let bytes = try await stage.database.value(
                "select payload ->> 'broken', encode(payload_raw, 'hex') like '%c328ff%' from results where run_id = $1::uuid",
                [.text(broken.id)])
            #expect(bytes == "\u{FFFD}(\u{FFFD}|true")
            #expect(try await stage.database.count("results where payload_raw is not null") == 7)
        }
    }

    @Test func `Whole bodies are kept with --keep-raw alone, byte for byte`() async throws {
        try await Stage.with { stage in
            let fetched = Manifest.Run(.success, 3, number: 1)
            let zipped = Manifest.Run(.gzip, number: 2)
            let gone = Manifest.Run(.missing, number: 3)
            let rejected = Manifest.Run(.badRequest, number: 4)
            let failed = Manifest.Run(.unknownStatus, number: 5)
            let manifest = Manifest(runs: [fetched, zipped, gone, rejected, failed])
            _ = try await stage.export(manifest)
            #expect(try await stage.database.count("run_bodies") == 0)
            let export = try await stage.export(manifest, "--keep-raw", "--refetch")
            #expect(export.status == 75, "\(export.finished.stderr)")
            let kept = try await stage.database.rows("select run_id from run_bodies order by run_id")
            #expect(kept == [fetched, zipped, gone, rejected].map(\.id).sorted())
            for run in [fetched, zipped] {
                let body = try await stage.sandbox.body(of: run)
                #expect(
                    try await stage.database.value(
                        "select body = convert_to($1, 'UTF8') from run_bodies where run_id = $2::uuid",
                        [.text(body), .text(run.id)]) == "true")
            }
        }
    }

    @Test func `A value nested 200,000 levels deep is kept raw beside small answers`() async throws {
        try await Stage.with { stage in
            var manifest = Manifest.of(40, .success, 3)
            manifest.runs.append(Manifest.Run(.deep, 2000, number: 98))
            let export = try await stage.export(manifest)
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.summary.met == ["success": 41])
            let row = try await stage.database.value(
                "select payload is null, length(payload_raw) > 400000, cardinality(payload_notes) from results where payload_raw is not null"
            )
            #expect(row == "true|true|1")
        }
    }
}
