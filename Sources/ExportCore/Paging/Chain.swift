import ActionsAPI
import Foundation

/// A chain of pages as its tables record it: how much of it is stored, and what is under way for the next page.
package struct Chain: Sendable, Equatable {
    /// The request for the next page that is under way: an intent, and the run that came of it.
    package struct Attempt: Sendable, Equatable {
        package var intentID: UUID
        /// nil until the API's answer is stored.
        package var runID: UUID?
        /// When the answer was stored, or else the intent.
        package var askedAt: Date
        package var seenAlive = false
        /// No run is known yet, and the export that asks is alive: its answer may come any moment.
        package var isInFlight = false

        package init(
            intentID: UUID, runID: UUID? = nil, askedAt: Date, seenAlive: Bool = false, isInFlight: Bool = false
        ) {
            self.intentID = intentID
            self.runID = runID
            self.askedAt = askedAt
            self.seenAlive = seenAlive
            self.isInFlight = isInFlight
        }
    }

    /// Pages of a chain at most, the root included, unless its manifest says otherwise.
    package static let defaultMaxPages = 1_000

    package let root: RunKey
    /// Pages stored, the root included; 0 while the root has no successful result.
    package var pages = 0
    /// What the last stored page names as the next one.
    package var cursor: String?
    /// The chain has been at that cursor.
    package var isCursorUsed = false
    /// Pages without rows in a row, up to the last stored one.
    package var emptyPages = 0
    /// Attempts at the next page that failed.
    package var failedAttempts = 0
    /// The partner throttled the next page: not asked for again before then.
    package var resumeAt: Date?
    package var end: ChainEnd?
    package var attempt: Attempt?
    /// Of the inputs that its pages are asked for with.
    package var inputsHash: [UInt8] = []
    package var maxPages = defaultMaxPages
    /// What the manifest says the stored action is.
    package var actionType: String?
    /// What the API said of it, if some export has looked it up.
    package var lookedUpType: String?
    /// The time that the database was restored to, until an operator says that no further page was asked for between
    /// that time and the restore: such a request left no trace here.
    package var restoredTo: Date?

    package init(root: RunKey) { self.root = root }

    /// The end that lies in the stored pages alone.
    ///
    /// A cursor behind two empty pages comes from an app that has nothing more to give, wherever it leads: so that is
    /// asked before whether it leads in a circle.
    package var naturalEnd: ChainEnd? {
        guard cursor != nil else { return ChainEnd(.lastPage) }
        if emptyPages >= 2 { return ChainEnd(.emptyPages) }
        if isCursorUsed { return ChainEnd(.repeatedCursor, "page \(pages - 1) names a cursor that was used before") }
        if pages >= maxPages { return ChainEnd(.maxPages, "the manifest wants \(maxPages) pages at most") }
        return nil
    }
}

/// The answer to a page of a chain, as it is about to be stored.
package struct PageAnswer: Sendable, Equatable {
    /// From 0, the root.
    package var number: Int
    /// It is the root, or the run of the attempt that is under way.
    package var isCurrent: Bool
    package var outcome: Outcome
    package var cursor: String?
    /// Why the cursor cannot be sent back as it came.
    package var cursorFault: String?
    package var isCursorUsed = false
    package var resultCount = 0
    /// How long the partner, which throttled the page, wants to be left alone.
    package var throttledFor: Duration?
    package var at: Date

    package init(
        number: Int, isCurrent: Bool, outcome: Outcome, cursor: String? = nil, cursorFault: String? = nil,
        isCursorUsed: Bool = false, resultCount: Int = 0, throttledFor: Duration? = nil, at: Date
    ) {
        self.number = number
        self.isCurrent = isCurrent
        self.outcome = outcome
        self.cursor = cursor
        self.cursorFault = cursorFault
        self.isCursorUsed = isCursorUsed
        self.resultCount = resultCount
        self.throttledFor = throttledFor
        self.at = at
    }
}

extension Chain {
    /// What storing the answer makes of the chain. An answer that is not the next page's changes nothing: another
    /// export was faster.
    ///
    /// - Returns: whether the answer was the next page's.
    @discardableResult
    package mutating func store(_ page: PageAnswer) -> Bool {
        guard page.number == pages, page.isCurrent else { return false }
        switch page.outcome {
        case .success:
            pages += 1
            cursor = page.cursor
            isCursorUsed = page.isCursorUsed
            emptyPages = page.resultCount == 0 ? emptyPages + 1 : 0
            failedAttempts = 0
            resumeAt = nil
            attempt = nil
            end = naturalEnd
            if let fault = page.cursorFault, end?.reason.isTruncated != false {
                end = ChainEnd(.pageError, "page \(page.number) names a cursor that is \(fault)")
            }
        case .error:
            // The root's own run cannot be started again: only what the chain started itself.
            if page.number > 0, let delay = page.throttledFor {
                fail(nil)
                resumeAt = page.at + delay.seconds
            } else {
                fail(ChainEnd(.pageError, "page \(page.number) is an error of the partner's app: see errors"))
            }
        case .rejected, .forbidden:
            fail(ChainEnd(.pageError, "page \(page.number) is \(page.outcome.rawValue): see api_errors"))
        case .expired, .notFound:
            fail(ChainEnd(.pageExpired, "the API has no result of page \(page.number)"))
        case .waiting, .pending, .failed, .queued:
            // Also of a root that had an end, such as page_expired, and turns out to be alive.
            end = nil
        }
        return true
    }

    private mutating func fail(_ end: ChainEnd?) {
        if pages > 0 { failedAttempts += 1 }
        attempt = nil
        self.end = end
    }
}
