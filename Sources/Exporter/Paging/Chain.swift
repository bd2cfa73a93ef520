import ActionsAPI
import Foundation

/// A chain of pages as its tables tell it: how much of it is stored, and what is under way for the next page.
struct Chain: Sendable, Equatable {
    /// The request for the next page that is under way: an intent, and the run that came of it.
    struct Attempt: Sendable, Equatable {
        var intentID: UUID
        /// nil until the API's answer is stored.
        var runID: UUID?
        /// When the answer was stored, or else the intent.
        var askedAt: Date
        var seenAlive = false
        /// No run is known yet, and whoever asks is alive: its answer may come any moment.
        var isInFlight = false
    }

    let root: RunKey
    /// Pages stored, the root included; 0 while the root has no successful result.
    var pages = 0
    /// What the last stored page names as the next one.
    var cursor: String?
    /// The chain has been at that cursor.
    var isCursorUsed = false
    /// Pages without rows in a row, up to the last stored one.
    var emptyPages = 0
    /// Attempts at the next page that failed.
    var failedAttempts = 0
    /// The partner throttled the next page: not asked for again before then.
    var resumeAt: Date?
    var end: ChainEnd?
    var attempt: Attempt?
    /// Of the inputs that its pages are asked for with.
    var inputsHash: [UInt8] = []
    var maxPages = PageSettings.defaultMaxPages
    /// What the manifest says the stored action is.
    var actionType: String?
    /// What the API said of it, if some export has looked it up.
    var toldType: String?
    /// The time that the database was restored to, until an operator says that no further page was asked for between
    /// that time and the restore: such a request left no trace here.
    var restoredTo: Date?

    init(root: RunKey) { self.root = root }

    /// The end that lies in the stored pages alone.
    ///
    /// A cursor behind two empty pages comes from an app that has nothing more to give, wherever it leads: so that is
    /// asked before whether it leads in a circle.
    var naturalEnd: ChainEnd? {
        guard cursor != nil else { return ChainEnd(.lastPage) }
        if emptyPages >= 2 { return ChainEnd(.emptyPages) }
        if isCursorUsed { return ChainEnd(.repeatedCursor, "page \(pages - 1) names a cursor that was used before") }
        if pages >= maxPages { return ChainEnd(.maxPages, "the manifest wants \(maxPages) pages at most") }
        return nil
    }
}

/// The answer to a page of a chain, as it is about to be stored.
struct PageAnswer: Sendable, Equatable {
    /// From 0, the root.
    var number: Int
    /// It is the root, or the run of the attempt that is under way.
    var isCurrent: Bool
    var outcome: Outcome
    var cursor: String?
    /// Why the cursor cannot be sent back as it came.
    var cursorFault: String?
    var isCursorUsed = false
    var resultCount = 0
    /// How long the partner, which throttled the page, wants to be left alone.
    var throttledFor: Duration?
    var at: Date
}

extension Chain {
    /// What storing the answer makes of the chain. An answer that is not the next page's changes nothing: somebody was
    /// faster.
    ///
    /// - Returns: whether the answer was the next page's.
    @discardableResult
    mutating func store(_ page: PageAnswer) -> Bool {
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
            // The root's own run cannot be asked for anew: only what the chain started itself.
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
