import Glibc

/// A server that prints `listening on http://127.0.0.1:PORT`.
struct ListeningProcess {
    let url: String
    let port: UInt16
    private let child: Child

    init(_ command: [String], work: WorkFolder) {
        let output = work.path("listening")
        // It ends with this process, however this one ends.
        child = Child(["setpriv", "--pdeathsig", "TERM"] + command, output: output)
        for _ in 0..<500 {
            usleep(20_000)
            let words = read(output).split(whereSeparator: \.isWhitespace)
            if let url = words.last, let port = url.split(separator: ":").last.flatMap({ UInt16($0) }) {
                (self.url, self.port) = (String(url), port)
                return
            }
        }
        fail("\(command[0]) did not start")
    }

    func stop() {
        child.stop()
        _ = child.wait()
    }

    /// Seconds of CPU so far.
    var cpu: Double { ServerProcesses.cpu(of: child.pid) }

    /// - Returns: the body of the answer, if it is small.
    @discardableResult
    func ask(_ path: String) -> String {
        let connection = HTTPConnection(port: port)
        connection.send(path: path)
        return connection.receive()
    }
}
