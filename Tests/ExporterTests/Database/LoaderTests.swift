import Foundation
import Postgres
import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Loading answers")
struct LoaderTests {
    static let three = #"{"status": "success", "results": [{"a": 1.10}, {"a": "ü"}, 3], "errors": []}"#
    static let one = #"{"status": "success", "results": [{"b": 12345678901234567890}], "errors": []}"#
    static let partnerError =
        #"{"status": "error", "results": [], "errors": [{"code": "throttled", "title": "T", "detail": "D", "delay": 30, "meta": {"x": 1}, "more": [1]}]}"#
    static let gone =
        #"{"errors": [{"status": 404, "code": "not_found", "title": "N", "source": {"pointer": "/p", "parameter": "q", "header": "h"}, "meta": {}}]}"#

    @Test("A result's objects, its run and its item come in together, every digit kept")
    func success() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            let commits = try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.three)], to: ledger)
            #expect(commits.map(\.results) == [3])
            #expect(
                try await db.texts("select payload from stored_actions.results order by item_index")
                    == [#"{"a": 1.10}"#, #"{"a": "ü"}"#, "3"])
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', outcome, status, http_status, result_count, error_count, attempts, export_id,
                                     page_number, root_run_id = run_id, fetched_at is not null)
                      from stored_actions.runs
                    """) == ["success success 200 3 0 1 \(ledger.exportID) 0 t t"])
            #expect(
                try await db.texts("select concat_ws(' ', outcome, action) from stored_actions.export_items")
                    == ["success fetched"])
        }
    }

    @Test("Batches that come at once are committed one after the other, each with a number of its own")
    func simultaneousBatches() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...8).map { ($0, nil) })
            let loader = Loader(session: db.session, exportID: ledger.exportID, refetch: false)
            try await withThrowingTaskGroup(of: [Commit].self) { group in
                for number in 1...8 {
                    let run = LedgerFixture.loaded(number, status: 200, body: Self.one)
                    group.addTask { try await loader.commit([run], requests: RequestCount()) }
                }
                for try await commits in group { #expect(commits.map(\.results) == [1]) }
            }
            #expect(try await db.texts("select batches from stored_actions.exports") == ["8"])
        }
    }

    @Test("A partner's error keeps all its fields")
    func partnerErrors() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.partnerError)], to: ledger)
            #expect(
                try await db.texts(
                    "select concat_ws(' ', code, title, detail, delay_seconds, meta, extra) from stored_actions.errors")
                    == [#"throttled T D 30 {"x": 1} {"more": [1]}"#])
            #expect(try await db.texts("select outcome from stored_actions.runs") == ["error"])
        }
    }

    @Test("An error of the API is kept until the run has a result")
    func apiErrors() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            try await db.commit([LedgerFixture.loaded(1, status: 404, body: Self.gone)], to: ledger)
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', http_status, status, code, title, source_pointer, source_parameter,
                                     source_header, meta)
                      from stored_actions.api_errors
                    """) == ["404 404 not_found N /p q h {}"])
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.one)], to: ledger)
            #expect(try await db.texts("select code from stored_actions.api_errors") == [])
        }
    }

    @Test("Fields that no column is for are kept in extra")
    func extra() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            let body = #"{"status": "success", "errors": [], "took_ms": 1.50, "a \"b\"": null}"#
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: body)], to: ledger)
            #expect(
                try await db.texts("select extra from stored_actions.runs") == [#"{"a \"b\"": null, "took_ms": 1.50}"#])
        }
    }

    @Test(
        "A stored result survives every later answer that is none",
        arguments: [(404, gone), (403, gone), (202, ""), (500, ""), (200, #"{"status": "waiting", "errors": []}"#)])
    func neverDowngraded(status: Int, body: String) async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.three)], to: ledger)
            let before = try await db.texts("select to_jsonb(r) - 'attempts' from stored_actions.runs r")
            let again = try await db.open([(1, nil)], refetch: true)
            let commits = try await db.commit(
                [LedgerFixture.loaded(1, status: status, body: body)], to: again, refetch: true)
            #expect(commits.map(\.rule) == [.keep])
            #expect(commits.map(\.pollAt) == [nil])
            #expect(try await db.texts("select attempts from stored_actions.runs") == ["2"])
            #expect(try await db.texts("select to_jsonb(r) - 'attempts' from stored_actions.runs r") == before)
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["3"])
            #expect(try await db.texts("select count(*) from stored_actions.api_errors") == ["0"])
            #expect(
                try await db.texts(
                    "select concat_ws(' ', outcome, action) from stored_actions.export_items where export_id = \(again.exportID)"
                )
                    == ["success kept"])
        }
    }

    @Test("A refetch replaces a run's rows as a whole")
    func refetch() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.partnerError)], to: ledger)
            let again = try await db.open([(1, nil)], refetch: true)
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.three)], to: again, refetch: true)
            #expect(try await db.texts("select count(*) from stored_actions.errors") == ["0"])
            let once = try await db.open([(1, nil)], refetch: true)
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.one)], to: once, refetch: true)
            #expect(
                try await db.texts("select payload from stored_actions.results") == [#"{"b": 12345678901234567890}"#])
            #expect(
                try await db.texts("select concat_ws(' ', outcome, result_count, error_count) from stored_actions.runs")
                    == ["success 1 0"])
        }
    }

    @Test("A run that another export has stored meanwhile is not stored twice")
    func meanwhile() async throws {
        try await LedgerFixture.with { db in
            let one = try await db.open([(1, nil)], name: "one")
            let two = try await db.open([(1, nil)], name: "two")
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.three)], to: one)
            let commits = try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.three)], to: two)
            #expect(commits.map(\.rule) == [.alreadySettled])
            #expect(commits.map(\.results) == [0])
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["3"])
            #expect(
                try await db.texts("select action from stored_actions.export_items order by export_id")
                    == ["fetched", "kept"])
        }
    }

    @Test("Two loaders of the same runs in different orders neither double a row nor deadlock")
    func sharedRuns() async throws {
        try await LedgerFixture.with { db in
            let runs = (1...200).map { (number: $0, executedAt: nil as Date?) }
            let ledgers = [try await db.open(runs, name: "one"), try await db.open(runs, name: "two")]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, ledger) in ledgers.enumerated() {
                    group.addTask {
                        try await PostgresSession.withSession(db.database) { session in
                            let loader = Loader(session: session, exportID: ledger.exportID, refetch: false)
                            let numbers = index == 0 ? Array(1...200) : Array((1...200).reversed())
                            for start in stride(from: 0, to: 200, by: 20) {
                                let batch = numbers[start..<start + 20].map {
                                    LedgerFixture.loaded($0, status: 200, body: Self.three)
                                }
                                _ = try await loader.commit(batch, requests: RequestCount())
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["600"])
        }
    }

    @Test("What jsonb cannot hold exactly is kept as it was sent, beside its nearest form")
    func inexact() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open((1...3).map { ($0, nil) })
            let bodies = [
                #"{"status": "success", "results": [{"a": "\u0000"}, {"a": "\\u0000"}], "errors": []}"#,
                #"{"status": "success", "results": [1e131072, 1e300], "errors": [], "odd": "\ud800", "fine": 1.10}"#,
                #"{"status": "error", "errors": [{"code": "a\u0000", "meta": {"b": "\u0000"}, "c": 1e131072}, {"code": "d"}]}"#,
            ]
            let batch = bodies.enumerated().map { LedgerFixture.loaded($0 + 1, status: 200, body: $1) }
            try await db.commit(batch, to: ledger)
            #expect(
                try await db.texts("select outcome from stored_actions.runs order by run_id")
                    == ["success", "success", "error"])
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', left(payload::text, 20), convert_from(payload_raw, 'UTF8'), cardinality(payload_notes))
                      from stored_actions.results order by run_id, item_index
                    """) == [
                        "{\"a\": \"\u{FFFD}\"} {\"a\": \"\\u0000\"} 1", #"{"a": "\\u0000"}"#, #""1e131072" 1e131072 1"#,
                        "1" + String(repeating: "0", count: 19),
                    ])
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', extra, convert_from(extra_raw, 'UTF8'))
                      from stored_actions.runs where extra is not null
                    """) == ["{\"odd\": \"\u{FFFD}\", \"fine\": 1.10} {\"odd\":\"\\ud800\",\"fine\":1.10}"])
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', code, meta, extra, convert_from(raw, 'UTF8'), cardinality(notes))
                      from stored_actions.errors order by error_index
                    """) == [
                        "a\u{FFFD} {\"b\": \"\u{FFFD}\"} {\"c\": \"1e131072\"} "
                            + #"{"code": "a\u0000", "meta": {"b": "\u0000"}, "c": 1e131072} 3"#,
                        "d",
                    ])
            #expect(try await db.texts("select what from stored_actions.rejects") == [])
        }
    }

    @Test(
        "A run has at most 10,000 rows in errors: what is left shares the last one, with its count and its bytes",
        arguments: [9_999, 10_000, 10_001, 25_000])
    func manyErrors(count: Int) async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            let errors = (0..<count).map { #"{"code": "c",  "detail": "\#($0)"}"# }
            let body = #"{"errors": [\#(errors.joined(separator: ", "))]}"#
            let commits = try await db.commit([LedgerFixture.loaded(1, status: 200, body: body)], to: ledger)
            let rows = min(count, 10_000)
            #expect(commits.map(\.errors) == [rows])
            #expect(commits.map(\.bundledErrors) == [count > 10_000 ? count - 9_999 : 0])
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', r.error_count, count(*), max(e.error_index),
                                     count(*) filter (where e.code = 'c' and e.detail = e.error_index::text))
                      from stored_actions.errors e join stored_actions.runs r using (run_id) group by r.error_count
                    """) == ["\(rows) \(rows) \(rows - 1) \(count > 10_000 ? 9_999 : count)"])
            let rest = "[\(errors.dropFirst(9_999).joined(separator: ", "))]"
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', extra, cardinality(notes), convert_from(raw, 'UTF8'))
                      from stored_actions.errors where raw is not null
                    """) == (count > 10_000 ? [#"{"errors": \#(count - 9_999)} 1 \#(rest)"#] : []))
        }
    }

    @Test(
        "Unknown fields of many MiB are stored like others, and so are small ones beside them",
        arguments: [(#""y": 1"#, true), (#""x": "b", "x": "\u0000""#, false)])
    func largeExtra(more: String, isExact: Bool) async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil), (2, nil)])
            let text = String(repeating: "a", count: 3 << 20)
            let body = #"{"errors": [], "z": "\#(text)", \#(more)}"#
            try await db.commit(
                [
                    LedgerFixture.loaded(1, status: 200, body: body),
                    LedgerFixture.loaded(2, status: 200, body: #"{"errors": [], "small": 1}"#),
                ], to: ledger)
            #expect(
                try await db.texts(
                    """
                    select concat_ws(' ', outcome, length(extra ->> 'z'), extra - 'z', extra_raw is null)
                      from stored_actions.runs order by run_id
                    """) == [
                        "success \(text.utf8.count) \(isExact ? #"{"y": 1} t"# : "{\"x\": \"\u{FFFD}\"} f")",
                        #"success {"small": 1} t"#,
                    ])
        }
    }

    @Test("An error of the partner's that is too deep only as a field is kept as it was sent")
    func deepError() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
            try await db.commit(
                [
                    LedgerFixture.loaded(
                        1, status: 200, body: #"{"status": "error", "results": [], "errors": [\#(deep)]}"#)
                ], to: ledger)
            #expect(
                try await db.texts(
                    "select concat_ws(' ', extra is null, length(raw), cardinality(notes)) from stored_actions.errors")
                    == ["t 2000 1"])
        }
    }

    @Test("A 404 whose meta jsonb cannot hold exactly is a 404 all the same")
    func inexactMeta() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            let body = #"{"errors": [{"code": "not_found", "meta": {"a": "\u0000"}}]}"#
            try await db.commit([LedgerFixture.loaded(1, status: 404, body: body)], to: ledger)
            #expect(try await db.texts("select outcome from stored_actions.runs") == ["not_found"])
            #expect(
                try await db.texts("select concat(code, meta) from stored_actions.api_errors")
                    == ["not_found{\"a\": \"\u{FFFD}\"}"])
        }
    }

    @Test("attempts counts every request once")
    func attempts() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            var run = LedgerFixture.loaded(1, status: 202, body: "")
            for _ in 1...3 {
                let commits = try await db.commit([run], to: ledger)
                run.item = commits[0].item
                run.item.requests += 1
            }
            #expect(try await db.texts("select attempts from stored_actions.runs") == ["3"])
        }
    }

    @Test("A NUL in a text that is no JSON value is replaced")
    func nulInText() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil)])
            let body = #"{"status": "error", "errors": [{"code": "a\u0000b"}]}"#
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: body)], to: ledger)
            #expect(try await db.texts("select code from stored_actions.errors") == ["a\u{FFFD}b"])
        }
    }

    @Test("A run that is not finished is committed and asked for again")
    func unfinished() async throws {
        try await LedgerFixture.with { db in
            let ledger = try await db.open([(1, nil), (2, nil)])
            let commits = try await db.commit(
                [
                    LedgerFixture.loaded(1, status: 202, body: ""),
                    LedgerFixture.loaded(2, status: 200, body: #"{"status": "waiting", "results": [1], "errors": []}"#),
                ], to: ledger)
            #expect(
                try await db.texts(
                    "select concat_ws(' ', outcome, status, seen_alive) from stored_actions.runs order by run_id")
                    == ["pending t", "waiting waiting t"])
            #expect(try await db.texts("select count(*) from stored_actions.results") == ["0"])
            #expect(commits.allSatisfy { $0.item.polls == 1 && $0.pollAt != nil })
            // Asked again, it is still one item.
            try await db.commit([LedgerFixture.loaded(1, status: 200, body: Self.three)], to: ledger)
            #expect(
                try await db.texts(
                    "select concat_ws(' ', outcome, action, result_count) from stored_actions.export_items order by run_id"
                )
                    == ["success fetched 3", "waiting fetched 0"])
        }
    }
}
