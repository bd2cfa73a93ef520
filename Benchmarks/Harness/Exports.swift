/// Runs `stored-actions`, and measures what it and the server do.
struct Exports {
    let plan: Plan
    let work: WorkFolder
    let server: ServerProcesses

    /// Where exports happen.
    let database = Database(name: "bench")

    /// Makes the databases that others are cloned from.
    func prepare() {
        Database.empty.create()
        migrate(Database.empty)
    }

    /// Inserts the settled runs with SQL. One export of one of them gives every table its first pages.
    func prepareSettled() {
        Database.settled.create()
        migrate(Database.settled)
        settledRuns.insertSettled(into: Database.settled)
        settledRuns.writeManifest(to: work.path("settled.json"))
        let one = Runs(name: "settled", count: 1)
        one.writeManifest(to: work.path("one.json"))
        export(work.path("one.json"), url: "http://127.0.0.1:9", in: Database.settled).waitForSuccess()
        Database.settled.run("vacuum analyze")
    }

    func prepareNew() { newRuns.writeManifest(to: work.path("new.json")) }

    private var settledRuns: Runs { Runs(name: "settled", count: plan.many) }
    private var newRuns: Runs { Runs(name: "new", count: plan.many) }

    /// An export of a manifest in the work folder, from an empty schema to a complete end.
    func sample(of name: String, url: String, _ options: [String] = []) -> Sample {
        database.create(from: .empty)
        return measured(export(work.path("\(name).json"), url: url, in: database, options))
    }

    /// An export of new runs, from an empty schema to a complete end; what it stored stays until the next one.
    func whole(_ workload: Plan.Workload, from answers: AnswerServerProcess) -> Sample {
        answers.reset()
        let sample = sample(of: workload.name, url: answers.url)
        let rows = database.row("select count(*) from stored_actions.results", work: work).first ?? ""
        guard rows == "\(workload.runs * workload.objects)" else {
            fail("\(workload.name): \(rows) rows instead of \(workload.runs * workload.objects)")
        }
        let requests = answers.counts().requests
        guard requests == workload.runs else {
            fail("\(workload.name): \(requests) requests for \(workload.runs) runs")
        }
        return sample
    }

    func settled() -> Sample {
        database.create(from: .settled)
        // Nothing listens there: an export that sent a request would fail.
        return measured(export(work.path("settled.json"), url: "http://127.0.0.1:9", in: database))
    }

    /// An export of new runs, interrupted when all of them have their rows.
    func first(from answers: AnswerServerProcess) -> Sample {
        database.create(from: .empty)
        answers.reset()
        let open = newRuns.untilAllOpen(in: database)
        let child = export(work.path("new.json"), url: answers.url, in: database)
        let opened = open.wait()
        let allOpen = monotonicSeconds() - child.startedAt
        guard opened.status == 0 else { fail("the runs of the manifest were not opened within 10 minutes") }
        let first = answers.firstRequest(within: 60) - child.startedAt
        child.stop()
        let usage = child.wait()
        guard usage.status == 143 || usage.status == 0 else {
            fail("exit status \(usage.status) of an export that was interrupted")
        }
        return [.firstRequest: first, .allOpen: allOpen, .peak: usage.peak, .clientCPU: usage.cpu]
    }

    /// - Parameter start: starts the only thing that uses the database.
    private func measured(_ start: @autoclosure () -> Child) -> Sample {
        Database.maintenance.run("checkpoint")
        let (sizes, cpu) = (DatabaseSize(database, work: work), server.cpu())
        let usage = start().waitForSuccess()
        let cpuAfter = server.cpu()
        let after = DatabaseSize(database, work: work)
        return [
            .wall: usage.wall, .clientCPU: usage.cpu, .peak: usage.peak, .serverCPU: cpuAfter - cpu,
            .wal: after.wal - sizes.wal, .growth: after.tables - sizes.tables,
        ]
    }

    private func export(
        _ manifest: String, url: String, in database: Database, _ options: [String] = []
    ) -> Child {
        stored(
            ["export", "--manifest", manifest, "--api-url", url, "--concurrency", "\(Plan.concurrency)", "--quiet"]
                + options, in: database)
    }

    private func migrate(_ database: Database) { stored(["migrate", "--quiet"], in: database).waitForSuccess() }

    private func stored(_ arguments: [String], in database: Database) -> Child {
        Child(
            [plan.program("stored-actions")] + arguments,
            environment: database.environment.merging(["ZAPIER_ACCESS_TOKEN": "sandbox-token"]) { $1 })
    }
}
