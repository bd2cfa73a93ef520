import ExportCore
import Exporter
import Foundation
import Postgres
import Testing

@testable import stored_actions

@Suite("How the end of an export is put")
struct EndTextTests {
    private func record(_ verdict: ExportVerdict, after ending: Ending = .finished) -> ExportRecord {
        EndText.record(.ended(ending, verdict), account: .standard)
    }

    @Test(
        arguments: [
            (.complete, 0), (.completeWithFindings(.init()), 3), (.needsPerson(pagesInDoubt: 1), 4),
            (.incomplete(.init()), 75), (.unreachable, 69), (.credentialsRefused, 77), (.invalidSetting, 78),
            (.interrupted(signal: 1), 129), (.interrupted(signal: 2), 130), (.interrupted(signal: 15), 143),
        ] as [(ExportVerdict, Int32)])
    func `Each verdict has its exit status`(verdict: ExportVerdict, status: Int32) {
        let record = record(verdict)
        #expect(record.exitStatus == status)
        #expect(record.outcome == verdict.outcome)
    }

    @Test func `The row of an export says what was left, in the order of the outcomes`() {
        var rest = ExportVerdict.Rest()
        rest.outcomes = [.queued: 1200, .pending: 1]
        rest.openChains = 1
        rest.pagesInDoubt = 2
        rest.hasPagesToRefetch = true
        #expect(
            record(.incomplete(rest)).reason
                == "left: 1 pending, 1200 queued, 1 chain without an end, 2 pages in doubt, pages to fetch again")
        #expect(
            record(.needsPerson(pagesInDoubt: 1)).reason
                == "left: 1 page in doubt, which a person has to resolve")
        #expect(record(.complete).reason == nil)
    }

    @Test func `The row of an export says what was found`() {
        var findings = ExportVerdict.Findings()
        findings.outcomes = [.forbidden: 2]
        findings.truncatedChains = 1
        findings.rejects = 3
        findings.isOfDoubtfulAccount = true
        #expect(
            record(.completeWithFindings(findings)).reason
                == "found: 2 forbidden, 1 truncated chain, 3 rejects, 404 for every run, young ones included")
    }

    @Test(
        arguments: [
            (.timeLimit(comeBackAt: nil), "the time limit was reached"),
            (
                .timeLimit(comeBackAt: Date(timeIntervalSince1970: 1_800_000_000)),
                "nothing more can be done within the time limit; come back at 2027-01-15T08:00:00Z"
            ),
            (.interrupted(signal: 15), "interrupted by signal 15"),
            (.invalidSetting("no such file"), "no such file"),
            (.credentialsRefused(""), "the API refused the credentials"),
            (.credentialsRefused("expired"), "the API refused the credentials: expired"),
            (.apiUnreachable(.failed("refused")), "the API cannot be reached: refused"),
            (.apiUnreachable(.unanswered), "the API cannot be reached: it answered none of the requests"),
            (
                .apiUnreachable(.blocked(status: 403)),
                "the API cannot be reached: a proxy or firewall before the API answers 403 with a page of its own"
            ),
            (
                .apiUnreachable(.blocked(status: nil)),
                "the API cannot be reached: a proxy or firewall before the API answers 401 or 403 with a page of its own"
            ),
            (.apiFailing("503", comeBackAt: nil), "the API fails for all requests: 503"),
            (
                .apiFailing("503", comeBackAt: Date(timeIntervalSince1970: 1_800_000_000)),
                "the API fails for all requests: 503; come back at 2027-01-15T08:00:00Z"
            ),
        ] as [(Ending, String)])
    func `Why an export stopped comes before what it left, and is in the summary too`(ending: Ending, reason: String) {
        #expect(record(.incomplete(.init()), after: ending).reason == reason)
        #expect(EndText(.ended(ending, .complete), account: nil).reason == reason)
    }

    @Test func `An export that has nothing but its account to say gives no reason in the summary`() {
        #expect(EndText(.ended(.finished, .needsPerson(pagesInDoubt: 1)), account: nil).reason == nil)
    }

    @Test func `The token of another account is reported with the account's name`() throws {
        let action = try #require(UUID(uuidString: "20b00000-0000-4000-8000-0000000000AB"))
        let reason = EndText(.ended(.otherAccount(action), .credentialsRefused), account: "Kunde 7").reason
        #expect(
            reason == """
                the token does not see stored action 20b00000-0000-4000-8000-0000000000ab, of which account "Kunde 7" has \
                results: is it the token of another account? Nothing was recorded of runs answered with 404 or 403
                """)
    }

    @Test func `A skipped export is a success, and names the one that runs`() {
        let text = EndText(.skipped(holder: nil), account: nil)
        #expect(text.status == 0 && text.outcome == .skipped)
        #expect(text.reason == "another export of this manifest is running")
    }

    @Test func `An export that an error broke off keeps the error's own text, and the status of its failure`() {
        let lost = PostgresError(.data, operation: "copy", message: "no")
        #expect(
            EndText.record(.failed(lost), account: .standard)
                == ExportRecord(outcome: .failed, exitStatus: 1, reason: "copy: no"))
        let locked = PostgresError(.lockNotAvailable, operation: "copy", message: "no")
        #expect(
            EndText.record(.failed(locked), account: .standard)
                == ExportRecord(outcome: .incomplete, exitStatus: 75, reason: "copy: no"))
        #expect(EndText(.failed(lost), account: nil).reason == nil)
        #expect(EndText(.failed(Failure(interruptedBy: 15)), account: nil).outcome == .interrupted)
    }
}
