import ActionsAPI
import ExportCore
import Exporter
import Postgres

/// Every error gets its exit status and its words here, both in one place. An error that nothing here names is a bug.
extension Failure {
    init(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as BrokenOffExport:
            self.init(error.cause)
            summary = error.summary
        case let error as SettingError:
            self.init(error.isOption ? ExitStatus.usage : ExitStatus.invalidSetting, error.description)
        case let error as ManifestProblems: self.init(manifests: error)
        case let error as SpoolError:
            // The temporary directory is a setting, and has no room.
            self.init(
                ExitStatus.invalidSetting,
                "\(error.reason): the temporary directory (TMPDIR) must have room for a manifest")
        case let error as ExportLock.Taken: self.init(ExitStatus.incomplete, error.words)
        case let error as ExportHistory.Locked:
            self.init(ExitStatus.incomplete, "\(error.text): try again once it has ended")
        case let error as SchemaProblem: self.init(ExitStatus.invalidSetting, error.description)
        case let error as ChainResolution.Refusal: self.init(resolve: error)
        case let error as PostgresError: self.init(database: error)
        case let error as TokenError: self.init(token: error)
        case let error as TransportError: self.init(ExitStatus.unreachable, "the API cannot be reached: \(error)")
        case let error as Exporter.AccountingError:
            self.init(ExitStatus.unexpected, "accounting mismatch (this is a bug): \(error)")
        case let error as ExportMachine.UnexpectedEvent:
            self.init(
                ExitStatus.unexpected,
                "the export was in a state that cannot be, which is a bug (what was stored stays; the same command "
                    + "continues): \(error.description)")
        default: self.init(ExitStatus.unexpected, "unexpected failure, which is a bug: \(error)")
        }
    }

    private init(token error: TokenError) {
        switch error.kind {
        case .refused: self.init(ExitStatus.credentialsRefused, "the API refused the credentials: \(error)")
        case .invalidSetting: self.init(ExitStatus.invalidSetting, error.reason)
        case .unreachable: self.init(ExitStatus.unreachable, "the API cannot be reached: \(error)")
        }
    }

    private init(database error: PostgresError) {
        switch error.kind {
        case .unreachable, .connectionLost, .commitUnknown, .shutdown, .resources, .conflict:
            self.init(
                ExitStatus.unreachable,
                "the database cannot be reached or cannot work (what was stored stays; the same command continues): "
                    + "\(error)")
        case .timeLimit where error.timeLimit == nil:
            self.init(
                ExitStatus.unreachable,
                "a statement was cancelled in the database (what was stored stays; the same command continues): "
                    + "\(error)")
        case .timeLimit:
            self.init(
                ExitStatus.unreachable,
                "a time limit of the database's settings ended a statement (what was stored stays; the same command "
                    + "continues): \(error)")
        case .lockNotAvailable:
            self.init(ExitStatus.incomplete, "\(error): another session holds a lock on the tables; try again")
        case .cancelled: self.init(ExitStatus.incomplete, "interrupted: \(error)")
        case .authentication: self.init(ExitStatus.invalidSetting, "the database refused the login: \(error)")
        case .permission: self.init(ExitStatus.invalidSetting, "the database role may not do this: \(error)")
        case .setting: self.init(ExitStatus.invalidSetting, "the database setting is wrong: \(error)")
        case .rowsDropped:
            self.init(
                ExitStatus.invalidSetting, "a trigger of the database keeps out what an export writes: \(error)")
        case .data where error.isSchemaFault, .other where error.isSchemaFault:
            self.init(
                ExitStatus.invalidSetting,
                "the schema stored_actions was changed by hand and is not as migrate made it: \(error)")
        case .other where error.isDatabasePolicy:
            self.init(
                ExitStatus.invalidSetting, "a trigger of the database refuses what an export writes: \(error)")
        // No such database; or no server was asked.
        case .other where error.sqlstate == "3D000" || error.sqlstate == nil:
            self.init(ExitStatus.invalidSetting, "the database setting is wrong: \(error)")
        case .data, .other: self.init(ExitStatus.unexpected, "unexpected answer of the database: \(error)")
        }
    }

    private init(resolve refusal: ChainResolution.Refusal) {
        switch refusal {
        case .noChain(let root, let account):
            self.init(
                ExitStatus.usage,
                "account \"\(account.name)\" has no chain of pages whose root is run \(root.lowercase) "
                    + "(stored-actions status lists those in doubt)")
        case .severalChains(let root):
            self.init(
                ExitStatus.usage,
                "several stored actions have such a chain of root \(root.lowercase): name one with --stored-action")
        case .notInDoubt(let root):
            self.init(ExitStatus.usage, "no page of chain \(root.lowercase) is in doubt")
        case .inFlight(let page):
            self.init(
                ExitStatus.incomplete,
                "an export has just asked for page \(page) of the chain: wait until it has ended")
        case .rootNotStored(let root):
            self.init(
                ExitStatus.usage, "the root of chain \(root.lowercase) is not stored yet: export its manifest first")
        case .runTaken(let run):
            self.init(ExitStatus.usage, "run \(run.lowercase) is a page of a chain already, or a root")
        }
    }
}

extension ExportLock.Taken {
    fileprivate var words: String {
        guard let holder, let reason = holder.hang else {
            let who = holder.map { " (\($0.description))" } ?? ""
            return "another export of \"\(name)\" is running\(who): wait for it, or use --if-locked wait or skip"
        }
        return
            "the export of \"\(name)\" that is running hangs (\(holder.description)): \(reason). End its process; if "
            + "that is gone, its session: select pg_terminate_backend(\(holder.serverProcess))"
    }
}

extension Failure {
    private struct Problems: Encodable {
        struct Problem: Encodable {
            var source: String
            var place: String
            var message: String
        }

        var exitStatus = ExitStatus.invalidManifest
        var error: String
        var problems: [Problem]
        var problemCount: Int

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case error, problems
            case problemCount = "problem_count"
        }
    }

    private init(manifests error: ManifestProblems) {
        let shown = error.problems.prefix(100)
        let count = error.totalCount == 1 ? "1 problem" : "\(error.totalCount) problems"
        let headline = "the manifest is invalid: \(count); nothing was fetched and nothing written"
        var lines = [headline] + shown.map { "  \($0.description)" }
        if error.totalCount > shown.count { lines.append("  … and \(error.totalCount - shown.count) more") }
        self.init(
            ExitStatus.invalidManifest, lines: lines,
            json: Problems(
                error: headline,
                problems: error.problems.map { .init(source: $0.source, place: $0.place, message: $0.message) },
                problemCount: error.totalCount))
    }
}
