import Support
import Testing

/// Whatever happens to an export, the same command completes it: no row lost, none doubled, no settled run asked for
/// again.
@Suite("Faults")
struct FaultSuite {
    static let faults: [Fault] =
        Fault.kills + Fault.databaseServer + Fault.databaseConnection + Fault.refusedTransactions + Fault.apiConnection
        + Fault.apiAnswers + Fault.rateWindows + Fault.twoExports
    private static let table = FaultTable(of: faults)

    /// Few at a time, for the machine has few cores; those that only wait take no turn.
    private static let lanes = Turnstile(3)

    @Test(arguments: faults)
    func `An export that a fault befalls is completed by the same command, and leaves what an undisturbed one leaves`(
        _ fault: Fault
    ) async throws {
        let result = await outcome {
            let whole = try await Scene.undisturbed.value
            if !fault.isPatient { await Self.lanes.enter() }
            let result = await outcome { try await Scene.with(fault) { try await play(fault, on: $0, whole) } }
            if !fault.isPatient { await Self.lanes.leave() }
            Self.table.add(try result.get(), to: fault.name)
        }
        if Self.table.ended() { print(Self.table.text) }
        try result.get()
    }

    @Test func `A row that is missing, there twice or changed is reported`() {
        let whole = StoredRows(text: "a\nb\nb\nc")
        let others = StoredRows(text: "a\na\nb\nC").differences(from: whole)
        #expect(others.missing == ["b", "c"])
        #expect(others.surplus == ["C", "a"])
        let same = StoredRows(text: "a\nb\nb\nc").differences(from: whole)
        #expect(same.missing == [] && same.surplus == [])
    }

    private func play(_ fault: Fault, on scene: Scene, _ whole: Scene.Whole) async throws -> FaultTable.Count {
        if let before = fault.before {
            #expect(try await scene.migrate() == 0)
            try await before(scene)
        }
        var count = FaultTable.Count()
        var status: Int32 = 0
        for call in fault.calls {
            let (export, pulled) = try await scene.play(call)
            status = export.status
            let said = export.finished.stdout + export.finished.stderr
            #expect(call.statuses.contains(status), "\(status) \(said)")
            if status != 3 { for word in call.tells { #expect(said.contains(word), "\(said)") } }
            let due = (call.database + call.api).map(\.times).reduce(0, +)
            if call.pullsAll { #expect(pulled == due, "\(pulled) of \(due) triggers were pulled") }
            count.tried += call.times ?? pulled
            try await call.verify(export, scene)
            if status < 0 {
                #expect(export.finished.stdout == "")
                try await scene.waitForSessionsToEnd()
                try await scene.noteSettled()
            }
            if status == 3 {
                let summary = try export.summary
                #expect(summary.met == whole.outcomes)
                try await scene.expectTrue(export)
                if call.asksOnce { count.fetchedAgain += summary.requests.total - Scene.runs }
            }
        }
        try await fault.mend(scene)
        let database = try await scene.database()
        if try await database.holds("to_regclass('stored_actions.runs') is not null") {
            try await database.expectNoHalfRuns()
        }
        if status != 3 {
            try await scene.noteSettled()
            let last = try await scene.export()
            #expect(last.status == 3, "\(last.finished.stdout) \(last.finished.stderr)")
            #expect(try last.summary.met == whole.outcomes)
            try await scene.expectTrue(last)
        }
        let (missing, surplus) = try await StoredRows(in: database).differences(from: whole.rows)
        #expect(missing.isEmpty, "\(missing.prefix(3))")
        #expect(surplus.isEmpty, "\(surplus.prefix(3))")
        count.lost = missing.count
        count.doubled = surplus.count
        count.fetchedAgain += try await scene.fetchedAgain()
        #expect(count.fetchedAgain == 0)
        return count
    }
}
