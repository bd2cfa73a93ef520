import ActionsAPI
import ActionsHTTP
import Foundation
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The exit status of an export")
struct EndingTests {
    private func account(_ outcomes: [Outcome: Int], chains: [EndReason?: Int] = [:]) -> Ledger.Account {
        var account = Ledger.Account()
        account.outcomes = outcomes
        account.items = outcomes.values.reduce(0, +)
        account.chains = chains
        return account
    }

    @Test("An export of nothing is complete")
    func nothing() {
        #expect(Ending.finished.exitStatus(account([:]), options: ExportOptions()) == 0)
    }

    @Test("Final outcomes leave it complete", arguments: [Outcome.success, .error, .expired])
    func complete(outcome: Outcome) {
        #expect(Ending.finished.exitStatus(account([outcome: 1]), options: ExportOptions()) == 0)
    }

    @Test("What --fail-on names by default", arguments: [Outcome.forbidden, .notFound, .rejected])
    func findings(outcome: Outcome) {
        var options = ExportOptions()
        #expect(Ending.finished.exitStatus(account([outcome: 1, .success: 5]), options: options) == 3)
        options.failOn = []
        #expect(Ending.finished.exitStatus(account([outcome: 1, .success: 5]), options: options) == 0)
    }

    @Test("--fail-on takes any outcome", arguments: [Outcome.error, .expired, .success])
    func failOn(outcome: Outcome) {
        var options = ExportOptions()
        options.failOn = [outcome]
        #expect(Ending.finished.exitStatus(account([outcome: 1]), options: options) == 3)
    }

    @Test("What needs further asking is incomplete", arguments: [Outcome.waiting, .pending, .failed, .queued])
    func incomplete(outcome: Outcome) {
        #expect(Ending.finished.exitStatus(account([outcome: 1, .forbidden: 1]), options: ExportOptions()) == 75)
        #expect(Ending.timeLimit(comeBackAt: nil).exitStatus(account([outcome: 1]), options: ExportOptions()) == 75)
    }

    @Test("--allow lets waiting and pending be")
    func allow() {
        var options = ExportOptions()
        options.allow = [.waiting, .pending]
        #expect(Ending.finished.exitStatus(account([.waiting: 1, .pending: 1]), options: options) == 0)
        #expect(Ending.finished.exitStatus(account([.waiting: 1, .failed: 1]), options: options) == 75)
    }

    @Test("A chain without an end is incomplete")
    func openChains() {
        let account = account([.success: 1], chains: [nil: 1, .lastPage: 3])
        #expect(Ending.finished.exitStatus(account, options: ExportOptions()) == 75)
    }

    @Test(
        "Where nothing but pages in doubt is left, a person has to act",
        arguments: [
            Ending.finished, .timeLimit(comeBackAt: nil), .apiFailing("", comeBackAt: nil),
        ])
    func inDoubt(ending: Ending) {
        var options = ExportOptions()
        let doubt: [EndReason?: Int] = [.submitUnknown: 2, .lastPage: 3, .maxPages: 1]
        // What --fail-on names comes after.
        #expect(ending.exitStatus(account([.success: 3, .forbidden: 1], chains: doubt), options: options) == 4)
        // Something else that is left comes before.
        for left in [Outcome.queued, .failed, .waiting, .pending] {
            #expect(ending.exitStatus(account([.success: 1, left: 1], chains: doubt), options: options) == 75)
        }
        #expect(
            ending.exitStatus(account([.success: 1], chains: doubt.merging([nil: 1]) { $1 }), options: options) == 75)
        var cut = account([.success: 1], chains: doubt)
        cut.hasPagesToRefetch = true
        #expect(ending.exitStatus(cut, options: options) == 75)
        // What is allowed is not left.
        options.allow = [.waiting]
        #expect(ending.exitStatus(account([.waiting: 1], chains: doubt), options: options) == 4)
    }

    @Test("A call in which the API never answered has not reached it, whatever ended the call but a graver reason")
    func unanswered() {
        let unreachable = Ending.apiUnreachable("silence")
        #expect(Ending.finished.unanswered("silence") == unreachable)
        #expect(Ending.timeLimit(comeBackAt: nil).unanswered("silence") == unreachable)
        for ending in [
            Ending.interrupted(signal: 15), .credentialsRefused("x"), .invalidSetting("x"), .apiUnreachable("x"),
        ] {
            #expect(ending.unanswered("silence") == ending)
        }
    }

    @Test("A refetch that was cut short of its pages is incomplete")
    func cutRefetch() {
        var account = account([.success: 1])
        account.hasPagesToRefetch = true
        #expect(Ending.timeLimit(comeBackAt: nil).exitStatus(account, options: ExportOptions()) == 75)
    }

    @Test("A truncated chain is something found, unless --fail-on leaves it out", arguments: EndReason.allCases)
    func truncated(end: EndReason) {
        guard end != .submitUnknown else { return }
        let account = account([.success: 1], chains: [end: 1])
        let isWhole = end == .lastPage || end == .emptyPages
        #expect(Ending.finished.exitStatus(account, options: ExportOptions()) == (isWhole ? 0 : 3))
        var options = ExportOptions()
        options.failOnTruncated = false
        #expect(Ending.finished.exitStatus(account, options: options) == 0)
    }

    @Test("What PostgreSQL refused is something found, unless --fail-on leaves it out; 75 comes first")
    func rejects() {
        var account = account([.success: 1])
        account.rejects = 1
        #expect(Ending.finished.exitStatus(account, options: ExportOptions()) == 3)
        var options = ExportOptions()
        options.failOnRejects = false
        #expect(Ending.finished.exitStatus(account, options: options) == 0)
        account.outcomes[.failed] = 1
        #expect(Ending.finished.exitStatus(account, options: ExportOptions()) == 75)
    }

    @Test("An API that has none of many young runs is something found, but for --fail-on none")
    func doubtfulAccount() {
        var account = account([.expired: 30])
        account.isOfDoubtfulAccount = true
        var options = ExportOptions()
        #expect(Ending.finished.exitStatus(account, options: options) == 3)
        options.failOn = []
        #expect(Ending.finished.exitStatus(account, options: options) == 3)
        (options.failOnTruncated, options.failOnRejects) = (false, false)
        #expect(Ending.finished.exitStatus(account, options: options) == 0)
        account.outcomes[.pending] = 1
        #expect(Ending.finished.exitStatus(account, options: ExportOptions()) == 75)
    }

    @Test("A time limit that nothing was left for is no lack")
    func timeLimit() {
        #expect(Ending.timeLimit(comeBackAt: nil).exitStatus(account([.success: 1]), options: ExportOptions()) == 0)
    }

    @Test("78 and 77 and 69 come before a signal, a signal before 75, 4 and 3", arguments: [3, 0])
    func order(queued: Int) {
        let bad = account([.queued: queued, .forbidden: 1], chains: [.submitUnknown: 1])
        #expect(Ending.invalidSetting("").exitStatus(bad, options: ExportOptions()) == 78)
        #expect(Ending.credentialsRefused("").exitStatus(bad, options: ExportOptions()) == 77)
        #expect(Ending.otherAccount(UUID()).exitStatus(bad, options: ExportOptions()) == 77)
        #expect(Ending.apiUnreachable("").exitStatus(bad, options: ExportOptions()) == 69)
        #expect(Ending.interrupted(signal: 15).exitStatus(bad, options: ExportOptions()) == 143)
        #expect(Ending.interrupted(signal: 2).exitStatus(bad, options: ExportOptions()) == 130)
        #expect(Ending.interrupted(signal: 1).exitStatus(bad, options: ExportOptions()) == 129)
    }

    @Test(
        "The export's own outcome follows its exit status",
        arguments: [
            (0, "complete"), (3, "complete"), (4, "incomplete"), (75, "incomplete"), (69, "failed"), (77, "failed"),
            (143, "interrupted"),
        ] as [(Int32, String)])
    func outcome(status: Int32, outcome: String) {
        #expect(ExitStatus.exportOutcome(status) == outcome)
    }

    @Test(
        "An error of the database ends with the status of its kind",
        arguments: [
            (.unreachable, 69), (.connectionLost, 69), (.shutdown, 69), (.resources, 69), (.conflict, 69),
            (.commitUnknown, 69), (.lockNotAvailable, 75), (.cancelled, 75), (.authentication, 78), (.permission, 78),
            (.timeLimit, 69), (.setting, 78), (.rowsDropped, 78), (.data, 1), (.other, 78),
        ] as [(PostgresError.Kind, Int32)])
    func database(kind: PostgresError.Kind, status: Int32) {
        #expect(ExitStatus.of(PostgresError(kind, operation: "test", message: "")) == status)
    }

    @Test(
        "A schema that was changed by hand, and a trigger that refuses, are the database's setting: 78; else a bug",
        arguments: [
            ("42703", nil, 78), ("42P01", nil, 78), ("42804", nil, 78), ("42P10", nil, 78), ("3F000", nil, 78),
            ("0A000", nil, 78), ("42P07", nil, 78), ("55000", nil, 78), ("22P03", "COPY results, line 1", 78),
            ("P0001", "PL/pgSQL function f() line 1 at RAISE", 78), ("42703", "PL/pgSQL function f() line 1", 1),
            ("42601", nil, 1), ("XX000", nil, 1), ("22021", nil, 1),
        ] as [(String, String?, Int32)])
    func schemaFault(sqlstate: String, context: String?, status: Int32) {
        var error = PostgresError(sqlstate.hasPrefix("22") ? .data : .other, operation: "test", message: "")
        error.sqlstate = sqlstate
        error.context = context
        #expect(ExitStatus.of(error) == status)
    }

    @Test("Errors of the manifest, the schema, the lock and the API have their statuses, all others are bugs")
    func errors() {
        #expect(ExitStatus.of(ManifestProblems(problems: [], totalCount: 1)) == 65)
        #expect(ExitStatus.of(SchemaProblem(kind: .newer, description: "")) == 78)
        #expect(ExitStatus.of(ExportLock.Taken(name: "today", holder: nil)) == 75)
        #expect(ExitStatus.of(TransportError(.timedOut, "")) == 69)
        #expect(ExitStatus.of(CancellationError()) == 1)
    }
}
