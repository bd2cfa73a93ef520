import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("The verdict on an export")
struct ExportVerdictTests {
    private func verdict(
        _ outcomes: [Outcome: Int], after ending: Ending = .finished, chains: [EndReason?: Int] = [:],
        options: ExportOptions = ExportOptions(), _ change: (inout ExportBalance) -> Void = { _ in }
    ) -> ExportVerdict {
        var balance = ExportBalance()
        balance.outcomes = outcomes
        balance.items = outcomes.values.reduce(0, +)
        balance.chains = chains
        change(&balance)
        return ExportVerdict(ending, balance, options)
    }

    private func incomplete(
        _ outcomes: [Outcome: Int] = [:], openChains: Int = 0, pagesInDoubt: Int = 0, hasPagesToRefetch: Bool = false
    ) -> ExportVerdict {
        var rest = ExportVerdict.Rest()
        rest.outcomes = outcomes
        rest.openChains = openChains
        rest.pagesInDoubt = pagesInDoubt
        rest.hasPagesToRefetch = hasPagesToRefetch
        return .incomplete(rest)
    }

    private func found(_ change: (inout ExportVerdict.Findings) -> Void) -> ExportVerdict {
        var findings = ExportVerdict.Findings()
        change(&findings)
        return .completeWithFindings(findings)
    }

    @Test func `An export of nothing is complete`() {
        #expect(verdict([:]) == .complete)
    }

    @Test(arguments: [Outcome.success, .error, .expired])
    func `Final outcomes leave it complete`(outcome: Outcome) {
        #expect(verdict([outcome: 1]) == .complete)
    }

    @Test(arguments: [Outcome.forbidden, .notFound, .rejected])
    func `What --fail-on names by default`(outcome: Outcome) {
        #expect(verdict([outcome: 1, .success: 5]) == found { $0.outcomes = [outcome: 1] })
        var options = ExportOptions()
        options.failOn = []
        #expect(verdict([outcome: 1, .success: 5], options: options) == .complete)
    }

    @Test(arguments: [Outcome.error, .expired, .success])
    func `--fail-on takes any outcome`(outcome: Outcome) {
        var options = ExportOptions()
        options.failOn = [outcome]
        #expect(verdict([outcome: 1], options: options) == found { $0.outcomes = [outcome: 1] })
    }

    @Test(arguments: [Outcome.waiting, .pending, .failed, .queued])
    func `What needs further asking is incomplete`(outcome: Outcome) {
        #expect(verdict([outcome: 1, .forbidden: 1]) == incomplete([outcome: 1]))
        #expect(verdict([outcome: 1], after: .timeLimit(comeBackAt: nil)) == incomplete([outcome: 1]))
    }

    @Test(arguments: Outcome.allCases)
    func `An outcome that no run has is neither left nor found`(outcome: Outcome) {
        #expect(verdict([outcome: 0]) == .complete)
    }

    @Test func `--allow lets waiting and pending be`() {
        var options = ExportOptions()
        options.allow = [.waiting, .pending]
        #expect(verdict([.waiting: 1, .pending: 1], options: options) == .complete)
        #expect(verdict([.waiting: 1, .failed: 1], options: options) == incomplete([.failed: 1]))
    }

    @Test func `A chain without an end is incomplete`() {
        #expect(verdict([.success: 1], chains: [nil: 1, .lastPage: 3]) == incomplete(openChains: 1))
    }

    @Test(arguments: [
        Ending.finished, .timeLimit(comeBackAt: nil), .apiFailing("", comeBackAt: nil),
    ])
    func `Where nothing but pages in doubt is left, a person has to act`(ending: Ending) {
        var options = ExportOptions()
        let doubt: [EndReason?: Int] = [.submitUnknown: 2, .lastPage: 3, .maxPages: 1]
        // What --fail-on names comes after.
        #expect(verdict([.success: 3, .forbidden: 1], after: ending, chains: doubt) == .needsPerson(pagesInDoubt: 2))
        // Something else that is left comes before.
        for left in [Outcome.queued, .failed, .waiting, .pending] {
            #expect(
                verdict([.success: 1, left: 1], after: ending, chains: doubt) == incomplete([left: 1], pagesInDoubt: 2))
        }
        #expect(
            verdict([.success: 1], after: ending, chains: doubt.merging([nil: 1]) { $1 })
                == incomplete(openChains: 1, pagesInDoubt: 2))
        #expect(
            verdict([.success: 1], after: ending, chains: doubt) { $0.hasPagesToRefetch = true }
                == incomplete(pagesInDoubt: 2, hasPagesToRefetch: true))
        // What is allowed is not left.
        options.allow = [.waiting]
        #expect(verdict([.waiting: 1], after: ending, chains: doubt, options: options) == .needsPerson(pagesInDoubt: 2))
    }

    @Test func `A refetch that was cut short of its pages is incomplete`() {
        #expect(
            verdict([.success: 1], after: .timeLimit(comeBackAt: nil)) { $0.hasPagesToRefetch = true }
                == incomplete(hasPagesToRefetch: true))
    }

    @Test(arguments: EndReason.allCases)
    func `A truncated chain is something found, unless --fail-on leaves it out`(end: EndReason) {
        guard end != .submitUnknown else { return }
        let isWhole = end == .lastPage || end == .emptyPages
        #expect(
            verdict([.success: 1], chains: [end: 1]) == (isWhole ? .complete : found { $0.truncatedChains = 1 }))
        var options = ExportOptions()
        options.failOnTruncated = false
        #expect(verdict([.success: 1], chains: [end: 1], options: options) == .complete)
    }

    @Test func `What PostgreSQL refused is something found, unless --fail-on leaves it out; what is left comes first`()
    {
        #expect(verdict([.success: 1]) { $0.rejects = 1 } == found { $0.rejects = 1 })
        var options = ExportOptions()
        options.failOnRejects = false
        #expect(verdict([.success: 1], options: options) { $0.rejects = 1 } == .complete)
        #expect(verdict([.success: 1, .failed: 1]) { $0.rejects = 1 } == incomplete([.failed: 1]))
    }

    @Test func `An API that has none of many young runs is something found, but for --fail-on none`() {
        var options = ExportOptions()
        let doubtful = found { $0.isOfDoubtfulAccount = true }
        #expect(verdict([.expired: 30]) { $0.isOfDoubtfulAccount = true } == doubtful)
        options.failOn = []
        #expect(verdict([.expired: 30], options: options) { $0.isOfDoubtfulAccount = true } == doubtful)
        (options.failOnTruncated, options.failOnRejects) = (false, false)
        #expect(verdict([.expired: 30], options: options) { $0.isOfDoubtfulAccount = true } == .complete)
        #expect(verdict([.expired: 30, .pending: 1]) { $0.isOfDoubtfulAccount = true } == incomplete([.pending: 1]))
    }

    @Test func `A time limit that nothing was left for is no lack`() {
        #expect(verdict([.success: 1], after: .timeLimit(comeBackAt: nil)) == .complete)
    }

    @Test(arguments: [3, 0])
    func `What ended an export early comes before what it left and found`(queued: Int) {
        for (ending, expected) in [
            (.invalidSetting(""), .invalidSetting), (.credentialsRefused(""), .credentialsRefused),
            (.otherAccount(UUID()), .credentialsRefused), (.apiUnreachable(.unanswered), .unreachable),
            (.interrupted(signal: 15), .interrupted(signal: 15)), (.interrupted(signal: 1), .interrupted(signal: 1)),
        ] as [(Ending, ExportVerdict)] {
            #expect(verdict([.queued: queued, .forbidden: 1], after: ending, chains: [.submitUnknown: 1]) == expected)
        }
    }

    @Test(
        arguments: [
            (.complete, "complete"), (.completeWithFindings(.init()), "complete"), (.incomplete(.init()), "incomplete"),
            (.needsPerson(pagesInDoubt: 1), "incomplete"), (.interrupted(signal: 15), "interrupted"),
            (.unreachable, "failed"), (.credentialsRefused, "failed"), (.invalidSetting, "failed"),
        ] as [(ExportVerdict, String)])
    func `The export's outcome in its table follows the verdict`(verdict: ExportVerdict, outcome: String) {
        #expect(verdict.outcome.rawValue == outcome)
    }
}
