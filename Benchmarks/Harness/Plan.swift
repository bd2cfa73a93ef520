import Glibc

/// What is measured, and how often.
struct Plan {
    /// A number of runs, all with the same number of objects.
    struct Workload {
        var name: String
        var runs: Int
        var objects: Int
    }

    /// Of an object, as the answer server sends it.
    static let objectBytes = 300
    static let concurrency = 32
    static let seed = 20_261_120

    /// The programs that `swift build` made.
    let programs: String
    let work: WorkFolder
    /// The JSON file; the charts go beside it.
    let out: String
    let rounds: Int
    /// Of every workload, against its full size.
    let scale: Double
    /// Names of workloads; all of them if empty.
    let only: [String]

    init(arguments: [String]) {
        guard arguments.count == 3 else { fail("usage: bench PROGRAMS WORK OUT.json") }
        (programs, work, out) = (arguments[0], WorkFolder(folder: arguments[1]), arguments[2])
        rounds = Self.variable("BENCH_ROUNDS").flatMap { Int($0) } ?? 5
        scale = Self.variable("BENCH_SCALE").flatMap { Double($0) } ?? 1
        only = Self.variable("BENCH_ONLY")?.split(separator: ",").map(String.init) ?? []
        // Better to fail now than after the last round.
        guard let file = fopen(out, "a") else { fail("cannot write \(out)") }
        fclose(file)
        guard rounds > 0, scale > 0 else { fail("BENCH_ROUNDS and BENCH_SCALE are above 0") }
    }

    var small: Workload { Workload(name: "small", runs: scaled(20_000), objects: 5) }
    var large: Workload { Workload(name: "large", runs: scaled(200), objects: 5_000) }
    /// Runs of the manifests that are all settled, or all new.
    var many: Int { scaled(1_000_000) }

    var folder: String { out.lastIndex(of: "/").map { String(out[..<$0]) } ?? "." }

    func includes(_ name: String) -> Bool { only.isEmpty || only.contains(name) }

    func program(_ name: String) -> String { programs + "/" + name }

    private func scaled(_ count: Int) -> Int { max(1, Int(Double(count) * scale)) }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
