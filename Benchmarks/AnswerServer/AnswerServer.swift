import Glibc

/// A static Actions API for the benchmarks: each run has the same number of objects of the same size, rendered once from
/// a seed. Only the run's ID and the rate-limit headers differ between answers.
///
/// It prints `listening on http://127.0.0.1:PORT` and serves until it is killed. `GET /bench/counts` says how many runs
/// were asked for, and when the first one was; `GET /bench/reset` sets both back.
@main
enum AnswerServer {
    static func main() {
        // A client that closes its connection early must not end the server.
        signal(SIGPIPE, SIG_IGN)
        let options = Options(CommandLine.arguments.dropFirst())
        let bodies = Bodies(options)
        let listener = Listener(port: options.port)
        print("listening on http://127.0.0.1:\(listener.port)")
        fflush(nil)
        EventLoop(listener: listener, service: Service(bodies: bodies)).run()
    }
}

/// Ends the program with a message about the last system error.
func fail(_ call: String) -> Never { exit(1, "answer-server: \(call): \(String(cString: strerror(errno)))") }

func exit(_ status: Int32, _ message: String) -> Never {
    let line = message + "\n"
    _ = write(STDERR_FILENO, line, line.utf8.count)
    exit(status)
}
