/// All rounds.
struct Session {
    let plan: Plan
    private let exports: Exports
    private let floors: Floors
    private let sandbox: SandboxExports
    private let work: WorkFolder
    private(set) var results = Results()
    /// Of the answer server, by workload.
    private(set) var serverLimits: [String: AnswerServerProcess.Limit] = [:]

    init(plan: Plan) {
        self.plan = plan
        work = plan.work
        // Autovacuum would work on the rows of one measurement during the next one.
        Database.maintenance.run("alter system set autovacuum = off")
        Database.maintenance.run("select pg_reload_conf()")
        let server = ServerProcesses(work: work)
        exports = Exports(plan: plan, work: work, server: server)
        sandbox = SandboxExports(exports: exports)
        floors = Floors(plan: plan, work: work, server: server)
    }

    mutating func run() {
        exports.prepare()
        let workloads = [plan.small, plan.large].filter { plan.includes($0.name) }
        let answers = Dictionary(
            uniqueKeysWithValues: [plan.small, plan.large].map {
                ($0.name, AnswerServerProcess(plan, objects: $0.objects, work: work))
            })
        defer { for server in answers.values { server.stop() } }
        for workload in workloads {
            serverLimits[workload.name] = answers[workload.name]!.limit(requests: max(1_000, workload.runs))
            write(workload)
        }
        if plan.includes("settled") { exports.prepareSettled() }
        if plan.includes("first") { exports.prepareNew() }
        if plan.includes("sandbox") { sandbox.prepare() }
        for round in 1...plan.rounds {
            note("round \(round) of \(plan.rounds)")
            for workload in workloads { measure(workload, from: answers[workload.name]!) }
            if plan.includes("settled") { add(exports.settled(), to: "settled") }
            if plan.includes("first") { add(exports.first(from: answers["small"]!), to: "first") }
            guard plan.includes("sandbox") else { continue }
            add(sandbox.pages(), to: "pages")
            add(sandbox.window(), to: "window")
        }
        for workload in workloads where plan.includes("growth") { grow(workload, from: answers[workload.name]!) }
    }

    /// An export and its floors.
    private mutating func measure(_ workload: Plan.Workload, from answers: AnswerServerProcess) {
        let name = workload.name
        add(exports.whole(workload, from: answers), to: name)
        if results.samples(of: name).count == 1 { floors.keepRows(of: workload, from: exports) }
        add(floors.http(workload, from: answers), to: "\(name)/http")
        add(floors.copy(workload, connections: 1), to: "\(name)/copy")
        add(floors.copy(workload, connections: 2), to: "\(name)/copy 2")
        add(floors.memcpy(workload), to: "\(name)/memcpy")
    }

    /// The same with more runs.
    private mutating func grow(_ workload: Plan.Workload, from answers: AnswerServerProcess) {
        for factor in Chart.factors.dropFirst() {
            var larger = workload
            larger.name = "\(workload.name)×\(factor)"
            larger.runs *= factor
            write(larger)
            add(exports.whole(larger, from: answers), to: larger.name)
        }
    }

    private func write(_ workload: Plan.Workload) {
        let runs = Runs(name: workload.name, count: workload.runs)
        runs.writeManifest(to: work.path("\(workload.name).json"))
        runs.writePaths(to: work.path("\(workload.name).paths"))
    }

    private mutating func add(_ sample: Sample, to name: String) {
        results.add(sample, to: name)
        let shown = Metric.allCases.compactMap { metric in sample[metric].map { "\(metric.title) \(metric.shown($0))" }
        }
        note("  \(name): " + shown.joined(separator: ", "))
    }
}
