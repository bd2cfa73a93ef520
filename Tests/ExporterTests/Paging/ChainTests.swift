import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("What an answer makes of a chain")
struct ChainTests {
    private let now = PagingFixture.now

    /// A root that is not stored yet.
    private func begun(_ change: (inout Chain) -> Void = { _ in }) -> Chain {
        var chain = Chain(root: PagingFixture.root)
        change(&chain)
        return chain
    }

    private func page(
        _ number: Int, _ outcome: Outcome = .success, cursor: String? = "next", rows: Int = 1, isCurrent: Bool = true,
        isCursorUsed: Bool = false, throttledFor: Duration? = nil, at: Date = PagingFixture.now
    ) -> PageAnswer {
        PageAnswer(
            number: number, isCurrent: isCurrent, outcome: outcome, cursor: cursor, isCursorUsed: isCursorUsed,
            resultCount: rows, throttledFor: throttledFor, at: at)
    }

    /// Stores page after page, and tells the end after each.
    private func ends(_ chain: inout Chain, _ pages: [PageAnswer]) -> [EndReason?] {
        pages.map { page in
            chain.attempt = page.number > 0 ? PagingFixture.attempt() : nil
            #expect(chain.store(page) == true)
            return chain.end?.reason
        }
    }

    @Test("A page counts, its cursor is the next one's, and what failed before it is over")
    func success() {
        var chain = PagingFixture.chain {
            $0.emptyPages = 1
            $0.failedAttempts = 2
            $0.resumeAt = now - 5
            $0.attempt = PagingFixture.attempt()
        }
        #expect(chain.store(page(1, cursor: "2")) == true)
        #expect(
            chain
                == PagingFixture.chain {
                    $0.pages = 2
                    $0.cursor = "2"
                })
    }

    @Test("A page without a cursor is the last one, the root too")
    func lastPage() {
        var chain = begun()
        #expect(ends(&chain, [page(0), page(1), page(2, cursor: nil)]) == [nil, nil, .lastPage])
        #expect(chain.pages == 3)
        #expect(chain.cursor == nil)
        var single = begun()
        #expect(ends(&single, [page(0, cursor: nil)]) == [.lastPage])
        #expect(single.pages == 1)
    }

    @Test("Two empty pages in a row end a chain, the root counted; rows between them begin the count again")
    func emptyPages() {
        var root = begun()
        #expect(ends(&root, [page(0, rows: 0), page(1, rows: 0)]) == [nil, .emptyPages])
        var between = begun()
        #expect(
            ends(&between, [page(0, rows: 0), page(1), page(2, rows: 0), page(3), page(4, rows: 0), page(5, rows: 0)])
                == [nil, nil, nil, nil, nil, .emptyPages])
        #expect(between.pages == 6)
    }

    @Test("A cursor that the chain has been at ends it, the page that names it is kept")
    func repeatedCursor() {
        var chain = begun()
        #expect(ends(&chain, [page(0), page(1, isCursorUsed: true)]) == [nil, .repeatedCursor])
        #expect(chain.pages == 2)
        var root = begun()
        #expect(ends(&root, [page(0, cursor: "0", isCursorUsed: true)]) == [.repeatedCursor])
    }

    @Test("The manifest's limit counts the root")
    func maxPages() {
        var chain = begun { $0.maxPages = 3 }
        #expect(ends(&chain, [page(0), page(1), page(2)]) == [nil, nil, .maxPages])
        var single = begun { $0.maxPages = 1 }
        #expect(ends(&single, [page(0)]) == [.maxPages])
        #expect(begun().maxPages == 1_000)
    }

    @Test("A cursor that cannot be sent back as it came is never asked with")
    func nulInCursor() {
        var chain = begun()
        var root = page(0, cursor: "a\u{FFFD}b")
        root.cursorFault = "a test"
        #expect(ends(&chain, [root]) == [.pageError])
        #expect(chain.pages == 1)
    }

    @Test(
        "Where several ends hold: no cursor, then empty pages, then the cursor's fault, then a circle, then the limit",
        arguments: 0..<32)
    func precedence(combination: Int) {
        func holds(_ bit: Int) -> Bool { combination & 1 << bit != 0 }
        var chain = PagingFixture.chain {
            $0.attempt = PagingFixture.attempt()
            $0.emptyPages = holds(1) ? 1 : 0
            $0.maxPages = holds(4) ? 2 : 3
        }
        var answer = page(1, cursor: holds(0) ? nil : "2", rows: holds(1) ? 0 : 1, isCursorUsed: holds(3))
        if holds(2) { answer.cursorFault = "a test" }
        chain.store(answer)
        let order: [EndReason] = [.lastPage, .emptyPages, .pageError, .repeatedCursor, .maxPages]
        #expect(chain.end?.reason == order.indices.first(where: holds).map { order[$0] })
        // Its rows are kept, whatever the reason.
        #expect(chain.pages == 2)
    }

    @Test("A page that is an error, rejected or forbidden ends its chain, and its attempt has failed")
    func pageError() {
        for outcome in [Outcome.error, .rejected, .forbidden] {
            var chain = PagingFixture.chain { $0.attempt = PagingFixture.attempt() }
            #expect(chain.store(page(1, outcome)) == true)
            #expect(chain.end?.reason == .pageError)
            #expect(chain.failedAttempts == 1)
            #expect(chain.attempt == nil)
            #expect(chain.pages == 1)
            #expect(chain.cursor == "1")
        }
    }

    @Test("A page of which the API has no result ends its chain, and its attempt has failed")
    func pageExpired() {
        for outcome in [Outcome.expired, .notFound] {
            var chain = PagingFixture.chain { $0.attempt = PagingFixture.attempt() }
            #expect(chain.store(page(1, outcome)) == true)
            #expect(chain.end?.reason == .pageExpired)
            #expect(chain.failedAttempts == 1)
            #expect(chain.attempt == nil)
            #expect(chain.pages == 1)
        }
    }

    @Test("A page that the partner throttles suspends its chain for the delay, once more each time")
    func throttled() {
        var chain = PagingFixture.chain()
        for (failed, delay) in [(1, 60.0), (2, 5), (3, 3_600)] {
            chain.attempt = PagingFixture.attempt()
            #expect(chain.store(page(1, .error, throttledFor: .seconds(delay), at: now + 10)) == true)
            #expect(
                chain
                    == PagingFixture.chain {
                        $0.failedAttempts = failed
                        $0.resumeAt = now + 10 + delay
                    })
        }
    }

    @Test("A success after throttled attempts goes on as if there had been none")
    func afterThrottling() {
        var chain = PagingFixture.chain { $0.attempt = PagingFixture.attempt() }
        chain.store(page(1, .error, throttledFor: .seconds(60)))
        chain.attempt = PagingFixture.attempt()
        chain.store(page(1, cursor: "2"))
        #expect(chain.failedAttempts == 0)
        #expect(chain.resumeAt == nil)
        #expect(chain.end == nil)
    }

    @Test(
        "A root that failed ends its chain, throttled or not: it was not the chain that asked for it",
        arguments: [
            (Outcome.error, EndReason.pageError), (.rejected, .pageError), (.forbidden, .pageError),
            (.expired, .pageExpired), (.notFound, .pageExpired),
        ])
    func failedRoot(outcome: Outcome, end: EndReason) {
        for delay in [nil, Duration.seconds(60)] {
            var chain = begun()
            #expect(chain.store(page(0, outcome, throttledFor: delay)) == true)
            #expect(chain.end?.reason == end)
            #expect(chain.pages == 0)
            #expect(chain.failedAttempts == 0)
            #expect(chain.resumeAt == nil)
        }
    }

    @Test(
        "A root that counted as expired and turns out to be alive has no end, and begins its chain when it is finished",
        arguments: [Outcome.waiting, .pending, .failed])
    func rootTurnsOutAlive(outcome: Outcome) {
        var chain = begun()
        chain.store(page(0, .expired))
        #expect(chain.end?.reason == .pageExpired)
        #expect(chain.store(page(0, outcome)) == true)
        #expect(chain == begun())
        #expect(chain.store(page(0, cursor: "1")) == true)
        #expect(chain.pages == 1)
        #expect(chain.cursor == "1")
        #expect(chain.end == nil)
    }

    @Test("A root that failed and then succeeds begins its chain", arguments: [Outcome.error, .expired, .forbidden])
    func rootRecovers(outcome: Outcome) {
        var chain = begun()
        chain.store(page(0, outcome))
        #expect(chain.end != nil)
        chain.store(page(0, cursor: "1"))
        #expect(chain.pages == 1)
        #expect(chain.end == nil)
    }

    @Test(
        "An unfinished page changes nothing: its attempt is still under way",
        arguments: [Outcome.waiting, .pending, .failed, .queued])
    func unfinished(outcome: Outcome) {
        var chain = PagingFixture.chain {
            $0.failedAttempts = 1
            $0.resumeAt = now
            $0.attempt = PagingFixture.attempt()
        }
        let before = chain
        #expect(chain.store(page(1, outcome)) == true)
        #expect(chain == before)
    }

    @Test("An answer that is not the next page's changes nothing", arguments: Outcome.allCases)
    func notNext(outcome: Outcome) {
        var chain = PagingFixture.chain {
            $0.pages = 3
            $0.attempt = PagingFixture.attempt()
        }
        let before = chain
        for number in [0, 1, 2, 4] {
            #expect(chain.store(page(number, outcome, throttledFor: .seconds(60))) == false)
            #expect(chain == before)
        }
    }

    @Test("The answer of an attempt that is not under way changes nothing", arguments: Outcome.allCases)
    func notCurrent(outcome: Outcome) {
        for end in [nil, ChainEnd(.pageError), ChainEnd(.submitUnknown)] {
            var chain = PagingFixture.chain { $0.end = end }
            let before = chain
            #expect(chain.store(page(1, outcome, isCurrent: false, throttledFor: .seconds(60))) == false)
            #expect(chain == before)
        }
    }

    @Test("Behind the last page and behind empty pages nothing is missing, behind every other end rows may be")
    func truncated() {
        #expect(EndReason.allCases.filter { !$0.isTruncated } == [.lastPage, .emptyPages])
        #expect(
            EndReason.allCases.map(\.rawValue) == [
                "last_page", "repeated_cursor", "empty_pages", "max_pages", "page_error", "page_expired", "refused",
                "submit_unknown",
            ])
    }
}
