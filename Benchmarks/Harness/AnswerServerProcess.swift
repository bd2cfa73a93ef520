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

    let url: String
    private let child: Child
    private let port: UInt16

    init(_ plan: Plan, objects: Int, work: WorkFolder) {
        let output = work.path("answer-server")
        child = Child(
            [
                plan.program("answer-server"), "--objects", "\(objects)", "--bytes", "\(Plan.objectBytes)", "--seed",
                "\(Plan.seed)",
            ], output: output)
        for _ in 0..<500 {
            usleep(20_000)
            let words = read(output).split(whereSeparator: \.isWhitespace)
            if let url = words.last, let port = url.split(separator: ":").last.flatMap({ UInt16($0) }) {
                (self.url, self.port) = (String(url), port)
                return
            }
        }
        fail("the answer server did not start")
    }

    func stop() {
        child.stop()
        _ = child.wait()
    }

    /// Seconds of CPU so far.
    var cpu: Double { ServerProcesses.cpu(of: child.pid) }

    func reset() { ask("/bench/reset") }

    func counts() -> Counts {
        let numbers = ask("/bench/counts").split { !$0.isNumber }.compactMap { Int($0) }
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

    @discardableResult
    private func ask(_ path: String) -> String {
        let connection = HTTPConnection(port: port)
        connection.send(path: path)
        return connection.receive()
    }

    /// Tries the server with requests on as many connections as an export has, by a client that only reads.
    func limit(requests: Int) -> Limit {
        let id = "00000000-0000-4000-8000-00000000000"
        let connections = (0..<Plan.concurrency).map { _ in HTTPConnection(port: port) }
        let (began, cpuBefore) = (monotonicSeconds(), cpu)
        let passes = max(1, requests / connections.count)
        for pass in 0..<passes {
            for connection in connections {
                connection.send(path: "/actions/v1/stored-actions/\(id)0/runs/\(id)\(pass % 10)")
            }
            for connection in connections { connection.receive() }
        }
        let count = Double(passes * connections.count)
        return Limit(rate: count / (monotonicSeconds() - began), cpuEach: (cpu - cpuBefore) / count)
    }
}
