/// Exports against the sandbox, of what the answer server cannot do: chains of pages, and a rate limit.
struct SandboxExports {
    let exports: Exports

    private static let chains = 20
    private static let pages = 50
    private static let rows = 100
    /// A GET for each page, a POST for each but the first of a chain, a look-up for each of the two stored actions.
    static let leastRequestsOfPages = Double(chains * pages + chains * (pages - 1) + 2)
    private static let runs = 300
    private static let limit = 60
    private static let windowSeconds = 3
    /// Seconds: the first window opens at once.
    static let leastWallOfWindow = Double((runs / limit - 1) * windowSeconds)

    func prepare() {
        write(
            "pages",
            [
                "--runs", "0", "--pages", "\(Self.chains)", "--pages-per-chain", "\(Self.pages)", "--rows-per-page",
                "\(Self.rows)",
            ])
        write("window", ["--runs", "\(Self.runs)", "--mix", "success"])
    }

    func pages() -> Sample {
        let sandbox = serve(["--limit", "0", "--run-limit", "0"])
        defer { sandbox.stop() }
        var sample = exports.sample(of: "pages", url: sandbox.url)
        let row = exports.database.row(
            "select (select requests from stored_actions.exports), count(*), count(distinct run_id) from stored_actions.paged_results",
            work: exports.work)
        guard row.dropFirst().elementsEqual(["\(Self.chains * Self.pages * Self.rows)", "\(Self.chains * Self.pages)"])
        else {
            fail("pages: rows or pages are missing: \(row)")
        }
        sample[.requests] = Double(row[0])
        return sample
    }

    func window() -> Sample {
        let sandbox = serve(
            ["--limit", "\(Self.limit)", "--window", "\(Self.windowSeconds)", "--reset-format", "epoch-fraction"])
        defer { sandbox.stop() }
        var sample = exports.sample(of: "window", url: sandbox.url, ["--budget-share", "1"])
        let stats = sandbox.ask("/sandbox/stats")
        guard let name = stats.firstRange(of: #""rate_limited":"#) else { fail("window: the sandbox counts no 429s") }
        sample[.refused] = Double(stats[name.upperBound...].prefix { $0.isNumber })
        return sample
    }

    private var program: String { exports.plan.program("stored-actions-sandbox") }

    private func serve(_ options: [String]) -> ListeningProcess {
        ListeningProcess([program, "serve", "--port", "0"] + options, work: exports.work)
    }

    private func write(_ name: String, _ options: [String]) {
        Child([program, "manifest", "--name", name] + options, output: exports.work.path("\(name).json"))
            .waitForSuccess()
    }
}
