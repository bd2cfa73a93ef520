import Foundation
import Testing

@testable import stored_actions_sandbox

/// Asks for the pages of one chain as a client does that knows no more than the root's id and its inputs.
struct ChainClient: Sendable {
    let sandbox: RunningSandbox
    let root: BulkPage
    var action = ActionKind.readBulk.id(1)

    private var path: String { "/actions/v1/stored-actions/\(action)" }

    func post(cursor: String) async throws -> RunningSandbox.Reply {
        let data: JSON = ["inputs": ["root": .string(root.run().description)], "page": .string(cursor)]
        let body = JSON.object([("data", data)]).text
        return try await sandbox.post("\(path)/run", body, "Authorization: Bearer sandbox-token")
    }

    /// Asks for a page, the answer expected to be in order.
    func start(_ index: Int) async throws -> CodedID {
        let reply = try await post(cursor: root.cursors.text(index))
        return try #require(Self.run(in: reply))
    }

    func get(_ run: CodedID) async throws -> RunningSandbox.Reply {
        try await sandbox.get("\(path)/runs/\(run)")
    }

    /// The statuses of so many reads.
    func statuses(_ run: CodedID, _ count: Int) async throws -> [Int?] {
        var statuses: [Int?] = []
        for _ in 0..<count { statuses.append(try await get(run).status) }
        return statuses
    }

    static func run(in reply: RunningSandbox.Reply) -> CodedID? {
        (result(reply)?["id"] as? String).flatMap { CodedID(parsing: $0) }
    }

    /// What stands under `data`, or flat.
    static func result(_ reply: RunningSandbox.Reply) -> NSDictionary? {
        reply.json?["data"] as? NSDictionary ?? reply.json
    }

    /// What `/sandbox/submissions` tells, line by line.
    func submissions() async throws -> [NSDictionary] {
        let json = try await sandbox.get("/sandbox/submissions", token: nil).json
        return try #require(json?["submissions"] as? [NSDictionary])
    }

    /// POSTs that arrived, and runs that they started.
    func counts() async throws -> [Int] {
        let json = try await sandbox.get("/sandbox/submissions", token: nil).json
        return [try #require(json?["posts"] as? Int), try #require(json?["runs_started"] as? Int)]
    }

    /// Goes from the root to the end, or for so many pages: how many rows each holds, and how it ended.
    func follow(limit: Int = 20) async throws -> (sizes: [Int], end: String, cursors: [String]) {
        var reply = try await get(root.run())
        var sizes: [Int] = []
        var cursors: [String] = []
        while true {
            let page = try #require(Self.result(reply))
            sizes.append(try #require(page["results"] as? [Any]).count)
            let next = page["next_page"]
            if next == nil { return (sizes, "absent", cursors) }
            if next is NSNull { return (sizes, "null", cursors) }
            let cursor = try #require(next as? String ?? (next as? NSNumber)?.stringValue)
            if cursor.isEmpty { return (sizes, "empty", cursors) }
            if sizes.count == limit { return (sizes, "further", cursors) }
            cursors.append(cursor)
            let run = try #require(Self.run(in: try await post(cursor: cursor)))
            reply = try await get(run)
        }
    }
}
