import Testing

/// A fault, and how it is played: calls of one export that are cut short or disturbed, one after the other. Whatever they
/// leave, the same command undisturbed has to complete.
struct Fault: Sendable, CustomTestStringConvertible {
    /// A call of `export`, and what befalls it.
    struct Call: Sendable {
        var options: [String] = []
        var database: [Proxy.Trigger] = []
        var api: [Proxy.Trigger] = []
        /// How often the fault is played in it; nil: once a pulled trigger.
        var times: Int?
        /// How it may end.
        var statuses: Set<Int32> = [3]
        /// What it has to say on stdout or stderr if it is cut short.
        var tells: [String] = []
        /// Whether all of the triggers have to be pulled.
        var pullsAll = true
        var during: @Sendable (Scene.Act) async throws -> Void = { _ in }
        /// What else has to be true of it.
        var verify: @Sendable (Export, Scene) async throws -> Void = { _, _ in }
        /// No answer of the API was lost, so each run is asked for once.
        var asksOnce = false
    }

    /// What is counted together.
    let name: String
    let detail: String
    /// Options of the sandbox.
    var sandbox: [String] = []
    /// PostgreSQL is one of its own, and may be crashed.
    var hasOwnCluster = false
    /// It waits for most of its time: others need not wait for it.
    var isPatient = false
    /// After the schema is there, before the first call.
    var before: (@Sendable (Scene) async throws -> Void)?
    let calls: [Call]
    /// Before the call that is not disturbed.
    var mend: @Sendable (Scene) async throws -> Void = { _ in }

    var testDescription: String { "\(name): \(detail)" }
}
