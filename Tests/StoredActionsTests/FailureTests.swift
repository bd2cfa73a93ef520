import ActionsAPI
import Foundation
import Postgres
import Testing

@testable import ExportCore
@testable import Exporter
@testable import stored_actions

@Suite("Exit statuses and words of errors")
struct FailureTests {
    @Test(
        arguments: [
            (.unreachable, 69), (.connectionLost, 69), (.shutdown, 69), (.resources, 69), (.conflict, 69),
            (.commitUnknown, 69), (.lockNotAvailable, 75), (.cancelled, 75), (.authentication, 78), (.permission, 78),
            (.timeLimit, 69), (.setting, 78), (.rowsDropped, 78), (.data, 1), (.other, 78),
        ] as [(PostgresError.Kind, Int32)])
    func `An error of the database ends with the status of its kind`(kind: PostgresError.Kind, status: Int32) {
        #expect(Failure(PostgresError(kind, operation: "test", message: "")).status == status)
    }

    @Test(
        arguments: [
            ("42703", nil, 78), ("42P01", nil, 78), ("42804", nil, 78), ("42P10", nil, 78), ("3F000", nil, 78),
            ("0A000", nil, 78), ("42P07", nil, 78), ("55000", nil, 78), ("22P03", "COPY results, line 1", 78),
            ("P0001", "PL/pgSQL function f() line 1 at RAISE", 78), ("42703", "PL/pgSQL function f() line 1", 1),
            ("42601", nil, 1), ("XX000", nil, 1), ("22021", nil, 1), ("3D000", nil, 78),
        ] as [(String, String?, Int32)])
    func `A schema that was changed by hand, and a trigger that refuses, are the database's setting: 78; else a bug`(
        sqlstate: String, context: String?, status: Int32
    ) {
        var error = PostgresError(sqlstate.hasPrefix("22") ? .data : .other, operation: "test", message: "")
        error.sqlstate = sqlstate
        error.context = context
        #expect(Failure(error).status == status)
    }

    @Test func `Errors of the manifest, the schema, the lock and the API have their statuses, all others are bugs`() {
        #expect(Failure(ManifestProblems(problems: [], totalCount: 1)).status == 65)
        #expect(Failure(SpoolError(reason: "no room")).status == 78)
        #expect(Failure(SchemaProblem.newer(version: 7, own: 6)).status == 78)
        #expect(Failure(ExportLock.Taken(name: "today", holder: nil)).status == 75)
        #expect(Failure(TransportError(.timedOut, "")).status == 69)
        #expect(Failure(CancellationError()).status == 1)
        #expect(Failure(SettingError("no")).status == 78)
        #expect(Failure(SettingError("no", isOption: true)).status == 64)
    }

    @Test func `A temporary file that fails is reported by its reason and the setting that mends it`() {
        #expect(
            Failure(SpoolError(reason: "no room")).text
                == "no room: the temporary directory (TMPDIR) must have room for a manifest")
    }

    @Test func `An event that cannot come is a bug, and the message says what to do`() {
        let failure = Failure(ExportMachine.UnexpectedEvent(description: "fetched came when nothing was out"))
        #expect(failure.status == 1)
        #expect(
            failure.text
                == "the export was in a state that cannot be, which is a bug (what was stored stays; the same command "
                + "continues): fetched came when nothing was out")
    }

    @Test(arguments: [(.refused, 77), (.invalidSetting, 78), (.unreachable, 69)] as [(TokenError.Kind, Int32)])
    func `An error of the token ends with the status of its kind`(kind: TokenError.Kind, status: Int32) {
        #expect(Failure(TokenError(kind, "no")).status == status)
    }

    @Test func `An export that an error broke off fails with that error, and keeps what it had done`() {
        let cause = TransportError(.timedOut, "silence")
        let summary = Summary(manifests: ["today"], end: .failed(cause))
        let failure = Failure(BrokenOffExport(cause: cause, summary: summary))
        #expect(failure.status == 69 && failure.text == Failure(cause).text)
        #expect(failure.summary?.manifests == ["today"])
    }

    private static let root = UUID(uuid: (0x20, 0xB0, 0, 0, 0, 3, 0x40, 0, 0x80, 0, 0, 1, 0, 0, 0, 2))
    private static let shownRoot = "20b00000-0003-4000-8000-000100000002"

    @Test(
        arguments: [
            (
                .noChain(root: root, account: .standard), 64,
                "account \"default\" has no chain of pages whose root is run \(shownRoot) (stored-actions status lists "
                    + "those in doubt)"
            ),
            (
                .severalChains(root: root), 64,
                "several stored actions have such a chain of root \(shownRoot): name one with --stored-action"
            ),
            (.notInDoubt(root: root), 64, "no page of chain \(shownRoot) is in doubt"),
            (.inFlight(page: 7), 75, "an export has just asked for page 7 of the chain: wait until it has ended"),
            (
                .rootNotStored(root), 64,
                "the root of chain \(shownRoot) is not stored yet: export its manifest first"
            ),
            (.runTaken(root), 64, "run \(shownRoot) is a page of a chain already, or a root"),
        ] as [(ChainResolution.Refusal, Int32, String)])
    func `A page that cannot be settled is bad usage, but for one that an export has just asked for`(
        refusal: ChainResolution.Refusal, status: Int32, text: String
    ) {
        let failure = Failure(refusal)
        #expect(failure.status == status)
        #expect(failure.text == text)
    }
}
