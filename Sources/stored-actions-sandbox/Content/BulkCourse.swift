/// What befalls a chain of pages: CC, the third byte of its runs' code `20b0CCKK`.
///
/// For all but ``plain``, V is `TAPP`: T how often it happens (0: always), A where (0: the middle page; 1 to d: that
/// page; e: the root; f: every page), PP the number of pages.
enum BulkCourse: UInt8, CaseIterable, Sendable {
    case plain = 0x00

    case zeroCursor = 0x01
    case circle = 0x02
    case emptyPage = 0x03
    case twoEmptyPages = 0x04
    case emptyTail = 0x05
    case endless = 0x06

    case pendingPage = 0x10
    case waitingPage = 0x11
    case latePage = 0x12
    case failedPage = 0x13

    case errorPage = 0x20
    case throttledPage = 0x21
    case systemThrottledPage = 0x22
    case rejectedPage = 0x23
    case forbiddenPage = 0x24
    case expiredPage = 0x25

    case postTooMany = 0x30
    case postUnavailable = 0x31
    case postRejected = 0x32
    case postForbidden = 0x33
    case postNotFound = 0x34

    case startedServerError = 0x40
    case startedBadGateway = 0x41
    case startedGatewayTimeout = 0x42
    case startedWithoutID = 0x43
    case startedHTML = 0x44
    case startedLost = 0x45
    case startedCut = 0x46
    case startedForms = 0x47

    /// What T counts.
    enum Unit: Equatable, Sendable {
        /// Nothing: it lies in the cursors and the rows.
        case nothing
        /// The reads of each run of the page.
        case reads
        /// The runs of the page: all reads of one are alike.
        case runs
        /// The POSTs that ask for the page.
        case posts
    }

    var unit: Unit {
        switch self {
        case .plain, .zeroCursor, .circle, .emptyPage, .twoEmptyPages, .emptyTail, .endless: .nothing
        case .pendingPage, .waitingPage, .latePage, .failedPage: .reads
        case .errorPage, .throttledPage, .systemThrottledPage, .rejectedPage, .forbiddenPage, .expiredPage: .runs
        case .postTooMany, .postUnavailable, .postRejected, .postForbidden, .postNotFound, .startedServerError,
            .startedBadGateway, .startedGatewayTimeout, .startedWithoutID, .startedHTML, .startedLost, .startedCut,
            .startedForms:
            .posts
        }
    }

    /// T for those who do not say: as often as a patient client can bear.
    var usualTimes: Int {
        switch self {
        case .pendingPage, .waitingPage, .latePage, .failedPage: 2
        case .throttledPage, .systemThrottledPage, .postTooMany, .postUnavailable, .startedServerError,
            .startedBadGateway, .startedGatewayTimeout, .startedWithoutID, .startedHTML, .startedLost, .startedCut:
            1
        case .plain, .zeroCursor, .circle, .emptyPage, .twoEmptyPages, .emptyTail, .endless, .errorPage,
            .rejectedPage, .forbiddenPage, .expiredPage, .postRejected, .postForbidden, .postNotFound, .startedForms:
            0
        }
    }

    /// Lower-case words with hyphens, as `inputs` and `--pages-mix` have it.
    var name: String { hyphenated("\(self)") }

    /// The first group of the ids, with cursors "1", "2".
    var digits: String {
        String(BulkPage(chain: 0, pages: 1, rows: 0, course: self).run().description.prefix(8))
    }

    /// One line for a person who writes an id by hand.
    var meaning: String {
        switch self {
        case .plain: "V pages, one after the other"
        case .zeroCursor: "page 0 hands out its own cursor, \"0\""
        case .circle: "the last page hands out the cursor of page A again (0: the first page's)"
        case .emptyPage: "page A has no rows"
        case .twoEmptyPages: "page A and the one after it have no rows"
        case .emptyTail: "past the last page come empty pages with further cursors, for ever"
        case .endless: "there is always a next page"
        case .pendingPage: "page A is 202 T times, then there"
        case .waitingPage: "page A has status waiting T times, then it is there"
        case .latePage: "page A is 404 T times, then there"
        case .failedPage: "page A is 500 T times, then there"
        case .errorPage: "the first T runs of page A have status error, code partner"
        case .throttledPage: "the first T runs of page A have status error, code throttled with `delay` 1"
        case .systemThrottledPage: "the first T runs of page A have status error, code system_throttled with `delay` 1"
        case .rejectedPage: "the first T runs of page A are 400"
        case .forbiddenPage: "the first T runs of page A are 403 permission_denied"
        case .expiredPage: "the first T runs of page A are 404"
        case .postTooMany: "the first T POSTs for page A are 429 with Retry-After 1; no run is started"
        case .postUnavailable: "the first T POSTs for page A are 503 with Retry-After 1; no run is started"
        case .postRejected: "the first T POSTs for page A are 400; no run is started"
        case .postForbidden: "the first T POSTs for page A are 403 permission_denied; no run is started"
        case .postNotFound: "the first T POSTs for page A are 404; no run is started"
        case .startedServerError: "the first T POSTs for page A are 500, and start a run"
        case .startedBadGateway: "the first T POSTs for page A are 502, and start a run"
        case .startedGatewayTimeout: "the first T POSTs for page A are 504, and start a run"
        case .startedWithoutID: "the first T POSTs for page A are 201 without the id of the run they start"
        case .startedHTML: "the first T POSTs for page A are 200 with a page of HTML, and start a run"
        case .startedLost: "the first T POSTs for page A start a run; the connection closes without an answer"
        case .startedCut: "the first T POSTs for page A start a run; the connection closes half-way through the answer"
        case .startedForms:
            "POSTs are 200, 201, 202 by turns from page to page, flat for odd pages; T fixes that of page T - 1"
        }
    }
}
