import Foundation

/// A bulk read of the sandbox, told by its ids: `stored-actions-sandbox scenarios` explains them.
struct Chain: Sendable {
    /// What befalls it.
    enum Course: Int, CaseIterable, Sendable {
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
    }

    /// How its cursors are spelt, and how its last page says that it is the last.
    enum Cursors: Int, CaseIterable, Sendable {
        case strings, numbers, opaque, urls, long, bigNumbers, awkward
    }

    /// What a stored action is: the first group of its id.
    enum Action: String, CaseIterable, Sendable {
        case read = "ac000001"
        case readBulk = "ac000002"
        case write = "ac000003"
        case run = "ac000004"
        case search = "ac000005"
        case searchOrWrite = "ac000006"
        case searchAndWrite = "ac000007"
        case filter = "ac000008"
        case tool = "ac000009"
        case unheardOf = "ac00000a"
        case untold = "ac00000b"
        case forbidden = "ac000403"
        case missing = "ac000404"
        case failingLookup = "ac000500"
        case forbiddenLookup = "ac001403"
        case missingLookup = "ac001404"

        /// The look-up of an odd number answers under `data`, that of an even one flat.
        func id(_ number: Int, parameter: Int = 0) -> String {
            "\(rawValue)-\(hex(parameter, 4))-4000-8000-\(hex(number, 12))"
        }
    }

    /// Values of `place`: the root, and every page.
    static let atRoot = 0xE
    static let everywhere = 0xF

    /// H, which tells chains apart.
    var number: Int
    var pages = 3
    var rows = 2
    var course = Course.plain
    var cursors = Cursors.strings
    /// How often the course befalls it; 0 is always.
    var times = 0
    /// The page that the course befalls; 0 is the middle one.
    var place = 0
    var action = Action.readBulk.id(1)

    /// The id of a page's run. The sandbox numbers the runs that POSTs start from 1; a root is nobody's POST.
    func run(_ page: Int, ordinal: Int = 1) -> String {
        let parameter = course == .plain ? pages : times << 12 | place << 8 | pages
        return
            "20b0\(hex(course.rawValue, 2))\(hex(cursors.rawValue, 2))-\(hex(parameter, 4))-4\(hex(ordinal, 3))-8000-"
            + hex(number, 4) + hex(page, 4) + hex(rows, 4)
    }

    var root: String { run(0, ordinal: 0) }

    var inputs: String { "{\"root\": \"\(root)\"}" }

    /// What a client has to send for a page.
    func cursor(_ page: Int) -> String {
        switch cursors {
        case .strings, .numbers: "\(page)"
        case .opaque: "after:\(page)"
        case .urls: "https://api.example.com/v2/orders?limit=100&after=\(page)&sort=a%20b#top"
        case .long:
            String(
                ("cursor-\(page)-"
                    + String(
                        repeating: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", count: 80))
                    .prefix(5000))
        case .bigNumbers: "\(9_007_199_254_740_993_001 + page)"
        case .awkward: "\"p\" \\/ é🦉\n#\(page)"
        }
    }

    func of(_ action: String) -> Chain {
        var chain = self
        chain.action = action
        return chain
    }
}

private func hex(_ value: Int, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(digits - text.count, 0)) + text
}

extension Manifest.Run {
    /// The root of a chain whose pages are to be followed.
    ///
    /// - Parameters:
    ///   - inputs: JSON; nil: those by which the sandbox knows the chain; empty: none.
    ///   - follow: false leaves out all that has to do with pages.
    init(
        _ chain: Chain, maxPages: Int? = nil, firstPage: String? = nil, actionType: String? = nil,
        inputs: String? = nil, follow: Bool = true
    ) {
        self.init(action: chain.action, id: chain.root)
        guard follow else { return }
        more = ", \"follow_pages\": true"
        let sent = inputs ?? chain.inputs
        if !sent.isEmpty { more += ", \"inputs\": \(sent)" }
        if let maxPages { more += ", \"max_pages\": \(maxPages)" }
        if let firstPage { more += ", \"first_page\": \"\(firstPage)\"" }
        if let actionType { more += ", \"action_type\": \"\(actionType)\"" }
    }

    private init(action: String, id: String) {
        self.action = action
        self.id = id
        executedAt = nil
    }
}

extension Manifest {
    /// A manifest of chains alone, followed by the sandbox's own inputs.
    static func following(
        _ chains: [Chain], name: String = "today", maxPages: Int? = nil, follow: Bool = true
    ) -> Manifest {
        Manifest(name: name, runs: chains.map { Run($0, maxPages: maxPages, follow: follow) })
    }
}
