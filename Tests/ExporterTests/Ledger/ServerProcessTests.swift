import Foundation
import Testing

@testable import Exporter

@Suite("How a server process is described")
struct ServerProcessTests {
    struct Case: Sendable {
        var application: String?
        var client: String?
        var description: String
    }

    @Test(arguments: [
        Case(
            application: "psql", client: "192.0.2.7", description: "server process 4711 (psql from 192.0.2.7)"),
        Case(application: "psql", description: "server process 4711 (psql)"),
        Case(client: "192.0.2.7", description: "server process 4711 (from 192.0.2.7)"),
        Case(application: "", description: "server process 4711"),
        Case(description: "server process 4711"),
    ])
    func `Its application and client are named where they are known`(entry: Case) {
        let process = ServerProcess(pid: 4711, application: entry.application, client: entry.client)
        #expect(process.description == entry.description)
    }

    @Test func `A holder of a lock is described without its application`() {
        #expect(
            ServerProcess(pid: 4711, application: "stored-actions", client: "192.0.2.7").shortDescription
                == "server process 4711 from 192.0.2.7")
        #expect(LockHolder(name: "today", serverProcess: 4711).description == "server process 4711")
    }

    @Test func `The start of its transaction is named where the server shows it`() {
        let start = Date(timeIntervalSince1970: 1_800_000_000)
        #expect(ServerProcess(pid: 1, transactionStart: start).since == ", since 2027-01-15T08:00:00Z")
        #expect(ServerProcess(pid: 1).since.isEmpty)
    }

    @Test func `A lock's text is that of earlier versions, which are kept apart too`() throws {
        #expect(ExportLock.lockText("today", of: .standard) == "stored-actions export today")
        let account = try #require(ZapierAccount(name: "other"))
        #expect(ExportLock.lockText("today", of: account) == "stored-actions export \u{1}account other\u{1}today")
    }
}
