import Glibc

/// A running answer server.
struct AnswerServerProcess {
    /// Runs asked for, and when the first one was, in monotonic seconds.
    struct Counts {
        var requests: Int
        var firstRequest: Double?
    }

    /// What it can do.
    struct Limit {
        /// Requests a second.
        var rate: Double
        /// Seconds of its CPU for each.
        var cpuEach: Double
    }

    private let process: ListeningProcess

    var url: String { process.url }

    init(_ plan: Plan, objects: Int, work: WorkFolder) {
        process = ListeningProcess(
            [
                plan.program("answer-server"), "--objects", "\(objects)", "--bytes", "\(Plan.objectBytes)", "--seed",
                "\(Plan.seed)",
            ], work: work)
    }

    func stop() { process.stop() }

    func reset() { process.ask("/bench/reset") }

    func counts() -> Counts {
        let numbers = process.ask("/bench/counts").split { !$0.isNumber }.compactMap { Int($0) }
        guard numbers.count == 2 else { fail("the answer server did not tell its counts") }
        return Counts(requests: numbers[0], firstRequest: numbers[1] == 0 ? nil : Double(numbers[1]) / 1e9)
    }

    /// When the first run was asked for; waits for it.
    func firstRequest(within seconds: Double) -> Double {
        let end = monotonicSeconds() + seconds
        while monotonicSeconds() < end {
            if let first = counts().firstRequest { return first }
            usleep(20_000)
        }
        fail("no request reached the answer server within \(seconds) seconds")
    }

    /// Tries the server with requests on as many connections as an export has, by a client that only reads.
    func limit(requests: Int) -> Limit {
        let id = "00000000-0000-4000-8000-00000000000"
        let connections = (0..<Plan.concurrency).map { _ in HTTPConnection(port: process.port) }
        let (began, cpuBefore) = (monotonicSeconds(), process.cpu)
        let passes = max(1, requests / connections.count)
        for pass in 0..<passes {
            for connection in connections {
                connection.send(path: "/actions/v1/stored-actions/\(id)0/runs/\(id)\(pass % 10)")
            }
            for connection in connections { connection.receive() }
        }
        let count = Double(passes * connections.count)
        return Limit(rate: count / (monotonicSeconds() - began), cpuEach: (process.cpu - cpuBefore) / count)
    }
}
