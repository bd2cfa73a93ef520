import ArgumentParser
import Exporter
import Foundation

/// A subcommand: does its work and returns what it has to say; how that is shown is the same for all.
protocol Verb: AsyncParsableCommand, Sendable {
    var output: OutputOptions { get }
    /// What it takes of the system at most.
    var needs: ResourceNeeds { get }

    /// - Parameter desk: receives signals; in its first phase they end the process at once.
    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report

    /// What `--json` prints on stdout where there is no result.
    func json(of failure: Failure) -> any Encodable & Sendable
}

/// What a subcommand has to say on stdout, for people and as one JSON object, and its exit status.
struct Report: Sendable {
    var text: String
    var json: any Encodable & Sendable
    var exitStatus: Int32 = 0
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "Print the result as one JSON object.")
    var json = false

    @Flag(help: "Print nothing when all is well (exit status 0), except --json's object.")
    var quiet = false

    @Option(help: "Least level of log lines: trace, debug, info, notice, warning, error or critical.")
    var logLevel: LogLevel = .info

    @Option(help: "Form of log lines on stderr: text or json.")
    var logFormat: LogFormat = .text
}

extension Verb {
    func run() async throws {
        let console = Console()
        console.configure(output)
        let desk = SignalDesk()
        desk.onExit { signal in end(with: Failure(interruptedBy: signal), on: console) }
        let trapped = await SignalDesk.trap()
        let watcher = desk.watch(trapped)
        defer { watcher.cancel() }
        let status: Int32
        do {
            status = console.end(with: try await perform(console, desk), asJSON: output.json)
        } catch {
            status = end(
                with: desk.received.flatMap { Failure(error, ifCancelledBy: $0) } ?? Failure(error), on: console)
        }
        if status != ExitStatus.complete { throw ExitCode(status) }
    }

    /// - Throws: `ExitCode`, after the message that a limit of the process is too low.
    func requireResources() throws {
        do {
            _ = try plan()
        } catch {
            let console = Console()
            console.configure(output)
            throw ExitCode(end(with: Failure(error), on: console))
        }
    }

    var needs: ResourceNeeds { .database }

    /// What it gets of what it needs.
    ///
    /// - Throws: `Failure` if that is too little.
    func plan() throws -> ResourcePlan {
        try ResourcePlan(for: needs, within: ProcessLimits.prepared(for: needs.allDescriptors))
    }

    func json(of failure: Failure) -> any Encodable & Sendable { failure.json }

    /// - Returns: the exit status.
    func end(with failure: Failure, on console: Console) -> Int32 {
        console.end(with: failure, json: output.json ? json(of: failure) : nil)
    }
}
