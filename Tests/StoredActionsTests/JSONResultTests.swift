import ExportCore
import Foundation
import Testing

@testable import Exporter
@testable import stored_actions

import Glibc

@Suite("Results as JSON")
struct JSONResultTests {
    @Test func `The summary has every key and every outcome, and null for what is not known`() throws {
        let summary = Summary(manifests: ["today"], end: .ended(.finished, .incomplete(.init())))
        #expect(
            try jsonText(SummaryJSON(summary: summary)) == """
                {"account":null,"already_settled":0,"chains":{},"chains_in_doubt":[],"chains_left":[],"duration_s":0,\
                "errors":0,"exit_status":75,"export_id":null,"items":0,"kept":0,"manifests":["today"],"only_not_found":false,\
                "open_chains":0,"outcome":"incomplete","outcomes":{"error":0,"expired":0,"failed":0,"forbidden":0,\
                "not_found":0,"pending":0,"queued":0,"rejected":0,"success":0,"waiting":0},"pages_followed":0,\
                "rate_limited":0,"reason":null,"rejects":0,"requests":{"by_status":{},"total":0},"results":0,\
                "unfinished_elsewhere":0,"waited_for_budget_s":0}
                """)
    }

    @Test
    func `Outcomes, ends of chains and HTTP statuses are spelled as in the tables, requests without an answer as none`()
        throws
    {
        var summary = Summary(manifests: [], end: .ended(.timeLimit(comeBackAt: nil), .needsPerson(pagesInDoubt: 1)))
        summary.exportID = 12
        summary.account = "Kunde 7"
        summary.runs.outcomes = [.notFound: 3]
        summary.chains.ended = [.submitUnknown: 1]
        summary.requests.byStatus = [200: 5, nil: 2]
        let data = Data(try jsonText(SummaryJSON(summary: summary)).utf8)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["export_id"] as? Int == 12)
        #expect(object["account"] as? String == "Kunde 7")
        #expect(object["exit_status"] as? Int == 4)
        #expect(object["outcome"] as? String == "incomplete")
        #expect(object["reason"] as? String == "the time limit was reached")
        #expect((object["outcomes"] as? [String: Int])?["not_found"] == 3)
        #expect(object["chains"] as? [String: Int] == ["submit_unknown": 1])
        #expect((object["requests"] as? [String: Any])?["by_status"] as? [String: Int] == ["200": 5, "none": 2])
    }

    @Test func `The summary of a failed export has the failure's status and outcome, and the error`() throws {
        let failed = FailedExport(Failure(69, "silence"), manifests: ["today.json"])
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(try jsonText(failed).utf8)) as? [String: Any])
        #expect(object["exit_status"] as? Int == 69)
        #expect(object["outcome"] as? String == "failed")
        #expect(object["error"] as? String == "silence")
        #expect(object["manifests"] as? [String] == ["today.json"])
        #expect(object["reason"] is NSNull)
    }

    private static func chain(isInDoubt: Bool, sharesRoot: Bool = false) -> ChainReport {
        ChainReport(
            storedActionID: "A", rootRunID: "R", pageNumber: 2, detail: "d", isInDoubt: isInDoubt,
            sharesRoot: sharesRoot)
    }

    @Test
    func `A chain in doubt has the two commands that settle it, with the stored action where others share its root`()
        throws
    {
        #expect(
            try jsonText(ChainReportJSON(report: Self.chain(isInDoubt: true))) == """
                {"detail":"d","page_number":2,"resolve":["stored-actions resolve --chain R --run-id RUN_ID",\
                "stored-actions resolve --chain R --not-sent"],"root_run_id":"R","stored_action_id":"A"}
                """)
        #expect(
            Self.chain(isInDoubt: true, sharesRoot: true).resolveCommands == [
                "stored-actions resolve --chain R --stored-action A --run-id RUN_ID",
                "stored-actions resolve --chain R --stored-action A --not-sent",
            ])
    }

    @Test func `A chain without an end has no command that settles it, and its times`() throws {
        var chain = Self.chain(isInDoubt: false, sharesRoot: true)
        chain.leftFor = .inputsMissing
        chain.restoredTo = Date(timeIntervalSince1970: 1_800_000_000)
        #expect(
            try jsonText(ChainReportJSON(report: chain)) == """
                {"detail":"d","left_for":"inputs_missing","page_number":2,"resolve":[],\
                "restored_to":"2027-01-15T08:00:00Z","root_run_id":"R","stored_action_id":"A"}
                """)
    }

    @Test func `The history names chains in doubt as the summary does, and leaves out what is not known`() throws {
        var history = ExportHistory()
        history.readAt = Date(timeIntervalSince1970: 1_800_000_000)
        #expect(
            try jsonText(HistoryJSON(history: history)) == """
                {"exports":[],"left":{"chains_in_doubt":[],"chains_in_doubt_count":0,"failures":[],"next_to_expire":[],\
                "open_chains":0,"outcomes":{},"rejects":0,"runs":0},"locks":[],"read_at":"2027-01-15T08:00:00Z"}
                """)
    }

    private struct Unencodable: Encodable {
        var number = Double.infinity
    }

    @Test(arguments: [(0, 74), (3, 74), (75, 74), (143, 74), (1, 1), (69, 69), (78, 78)] as [(Int32, Int32)])
    func `A result that cannot be encoded is lost: nothing on stdout, the reason on stderr, and a status that says so`(
        status: Int32, without: Int32
    ) throws {
        let (stdout, stderr) = (try Output(), try Output())
        let console = Console(stdout: stdout.descriptor, stderr: stderr.descriptor)
        let report = Report(text: "fine", json: Unencodable(), exitStatus: status)
        #expect(console.end(with: report, asJSON: true) == without)
        #expect(try stdout.text().isEmpty)
        let message = try stderr.text()
        #expect(message.hasPrefix("stored-actions: the result could not be encoded as JSON, which is a bug: "))
        #expect(message.split(separator: "\n").count == 1)
    }

    /// A file that takes what a console prints.
    private final class Output {
        let descriptor: Int32

        init() throws {
            var template = Array((FileManager.default.temporaryDirectory.path + "/output-XXXXXX").utf8CString)
            descriptor = mkstemp(&template)
            try #require(descriptor >= 0)
            unlink(template)
        }

        deinit { close(descriptor) }

        func text() throws -> String {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = pread(descriptor, &bytes, bytes.count, 0)
            try #require(count >= 0)
            return String(decoding: bytes.prefix(count), as: UTF8.self)
        }
    }
}
