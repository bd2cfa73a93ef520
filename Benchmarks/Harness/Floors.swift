/// What the parts of an export cost without it.
struct Floors {
    let plan: Plan
    let work: WorkFolder
    let server: ServerProcesses

    private let database = Database(name: "bench_floor")

    /// AsyncHTTPClient alone, with the exporter's configuration and concurrency.
    func http(_ workload: Plan.Workload, from answers: AnswerServerProcess) -> Sample {
        let usage = Child(
            [plan.program("http-floor"), answers.url, work.path("\(workload.name).paths"), "\(Plan.concurrency)"]
        ).waitForSuccess()
        return [.wall: usage.wall, .clientCPU: usage.cpu, .peak: usage.peak]
    }

    /// Takes the rows of the export that has just ended, once.
    func keepRows(of workload: Plan.Workload, from exports: Exports) {
        let rows = work.path("\(workload.name).rows")
        exports.database.psql("copy stored_actions.results to stdout", output: rows).waitForSuccess()
        Child(["split", "--number", "l/2", rows, rows + "."]).waitForSuccess()
    }

    /// The finished rows of `results`, loaded by psql over one or two connections into a table like it.
    func copy(_ workload: Plan.Workload, connections: Int) -> Sample {
        database.create(from: .empty)
        database.run("create table floor (like stored_actions.results including all)")
        Database.maintenance.run("checkpoint")
        let rows = work.path("\(workload.name).rows")
        let (sizes, cpu) = (DatabaseSize(database, work: work), server.cpu())
        let began = monotonicSeconds()
        let files = connections == 1 ? [rows] : ["\(rows).aa", "\(rows).ab"]
        let children = files.map { database.psql("copy floor from stdin", input: $0) }
        let usages = children.map { $0.waitForSuccess() }
        let wall = monotonicSeconds() - began
        let cpuAfter = server.cpu()
        let after = DatabaseSize(database, work: work)
        return [
            .wall: wall, .clientCPU: usages.reduce(0) { $0 + $1.cpu }, .peak: usages.map(\.peak).max() ?? 0,
            .serverCPU: cpuAfter - cpu, .wal: after.wal - sizes.wal, .growth: after.tables - sizes.tables,
        ]
    }

    /// The bodies copied ten times, by another process because the harness must stay small (see `Child.Usage.peak`).
    func memcpy(_ workload: Plan.Workload) -> Sample {
        let output = work.path("memcpy")
        let bytes = workload.objects * (Plan.objectBytes + 1)
        Child([CommandLine.arguments[0], "memcpy", "\(bytes)", "\(workload.runs * 10)"], output: output)
            .waitForSuccess()
        guard let seconds = Double(read(output).split(separator: "\n").first ?? "") else { fail("no time of memcpy") }
        return [.clientCPU: seconds]
    }
}
