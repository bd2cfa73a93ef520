import ActionsAPI
import ActionsHTTP
import ArgumentParser
import Exporter
import Foundation
import Postgres

struct Check: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Checks settings, database, schema and token, and reports what is wrong.",
        discussion: """
            Makes one API request (the list of stored actions), after a request for a token if it needs one, and tries \
            what an export would do in the database, in a transaction that it rolls back. A refresh token is good for one \
            use, so it is not tried: only its file is, and whether API and token endpoint answer.

            EXAMPLE
              stored-actions check
            """)

    @OptionGroup var account: AccountOptions
    @OptionGroup var api: APIOptions
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    var needs: ResourceNeeds { .api(requests: 1) }

    /// One thing that was tried.
    struct Finding: Encodable, Sendable {
        var what: String
        /// Where the setting came from; nil for a finding that is not a setting.
        var from: String?
        var ok: Bool
        var detail: String
        var exitStatus: Int32 = 0

        enum CodingKeys: String, CodingKey {
            case what, from, ok, detail
        }

        init(what: String, from: String? = nil, ok: Bool, detail: String, exitStatus: Int32 = 0) {
            self.what = what
            self.from = from
            self.ok = ok
            self.detail = detail
            self.exitStatus = exitStatus
        }

        init(what: String, from origin: String? = nil, _ error: any Error) {
            let failure = Failure(error)
            self.init(what: what, from: origin, ok: false, detail: failure.text, exitStatus: failure.status)
        }
    }

    private struct Result: Encodable, Sendable {
        var exitStatus: Int32
        var checks: [Finding]

        enum CodingKeys: String, CodingKey {
            case exitStatus = "exit_status"
            case checks
        }
    }

    func perform(_ console: Console, _ desk: SignalDesk) async throws -> Report {
        let sources = SettingSources(database: database, api: api, account: account)
        var findings: [Finding] = []
        await findings.append(contentsOf: databaseFindings(sources, console))
        findings.append(accountFinding(sources))
        await findings.append(contentsOf: apiFindings(sources, console))
        let status = [ExitStatus.invalidSetting, ExitStatus.credentialsRefused, ExitStatus.unreachable]
            .first { status in findings.contains { $0.exitStatus == status } }
        let fallback = findings.first { !$0.ok }?.exitStatus ?? ExitStatus.complete
        let rows = findings.map { finding in
            [finding.ok ? "ok" : "WRONG", finding.what, (finding.from.map { "from \($0): " } ?? "") + finding.detail]
        }
        return Report(
            text: aligned(rows), json: Result(exitStatus: status ?? fallback, checks: findings),
            exitStatus: status ?? fallback)
    }

    private func accountFinding(_ sources: SettingSources) -> Finding {
        do {
            let account = try sources.accountName()
            return Finding(what: "account", from: account.origin, ok: true, detail: account.value.name)
        } catch {
            return Finding(what: "account", from: nil, error)
        }
    }

    private func databaseFindings(_ sources: SettingSources, _ console: Console) async -> [Finding] {
        var origin: String?
        do {
            let setting = try sources.database()
            origin = setting.origin
            return try await PostgresSession.withSession(setting.value, reconnect: .never) { session in
                _ = try await SteadyClock().ofDatabase(on: session, logger: console.logger)
                let row = try await session.query(
                    """
                    select current_setting('server_version') as version, current_database() as name,
                           current_user as role, coalesce(host(inet_server_addr()), 'a local socket') as host
                    """
                ).first
                let (version, name): (String, String) = (
                    try row?.decode("version") ?? "", try row?.decode("name") ?? ""
                )
                let (role, host): (String, String) = (try row?.decode("role") ?? "", try row?.decode("host") ?? "")
                let database = Finding(
                    what: "database", from: setting.origin, ok: true,
                    detail: "PostgreSQL \(version), database \(name), role \(role), over \(host)")
                let security = try await session.security()
                if security.isExposed {
                    console.logger.warning("the connection to the database is not safe: \(security.summary)")
                }
                let connection = Finding(what: "connection", ok: true, detail: security.summary)
                let findings = await DatabaseCheck(configuration: setting.value, session: session).findings
                return [database, connection] + findings
            }
        } catch {
            return [Finding(what: "database", from: origin, error)]
        }
    }

    private func apiFindings(_ sources: SettingSources, _ console: Console) async -> [Finding] {
        var findings: [Finding] = []
        do {
            let setting = try sources.api()
            findings.append(Finding(what: "API", from: setting.origin, ok: true, detail: setting.value))
        } catch {
            return [Finding(what: "API", error)]
        }
        do {
            let access = try APIAccess(sources)
            access.warn(console.logger)
            if let proxy = access.apiProxy {
                findings.append(Finding(what: "proxy", from: proxy.origin, ok: true, detail: "\(proxy.value)"))
            }
            if let url = access.tokenURL {
                findings.append(Finding(what: "token endpoint", from: url.origin, ok: true, detail: url.value))
            }
            findings.append(await tokenFinding(access))
        } catch {
            findings.append(Finding(what: "token", error))
        }
        return findings
    }

    private func tokenFinding(_ access: APIAccess) async -> Finding {
        let token = access.token
        if case .refreshToken(let path, _) = token.value.kind { return await refreshTokenFinding(access, path) }
        do {
            let answer = try await access.withClient(connections: 1, room: 64 << 20, attempts: 1) { client in
                try await client.listStoredActions()
            }
            let status = answer.status
            switch status {
            case 401 where !answer.isHTML, 403 where answer.isJSON:
                return Finding(
                    what: "token", from: token.origin, ok: false, detail: "the API refused it (\(status))",
                    exitStatus: ExitStatus.credentialsRefused)
            case 401, 403:
                return Finding(
                    what: "token", from: token.origin, ok: false,
                    detail: "a proxy or firewall before the API answers \(status) with a page of its own",
                    exitStatus: ExitStatus.unreachable)
            case 200 where answer.isJSON:
                return Finding(what: "token", from: token.origin, ok: true, detail: "the API accepts it (\(status))")
            case 429:
                return Finding(
                    what: "token", from: token.origin, ok: true,
                    detail: "not tried: the rate window is spent (429); try again later")
            default:
                return Finding(
                    what: "token", from: token.origin, ok: false,
                    detail: "the API answered \(answer.statusText), not a list",
                    exitStatus: ExitStatus.unreachable)
            }
        } catch {
            return Finding(what: "token", from: token.origin, error)
        }
    }

    /// Tries all that costs no token.
    private func refreshTokenFinding(_ access: APIAccess, _ path: String) async -> Finding {
        let origin = access.token.origin
        do {
            let file =
                switch try await RefreshTokenFile(path: path, patience: .seconds(5)).rehearse() {
                case .replaced: "its file can be replaced"
                case .writtenInPlace: "its file cannot be replaced, but can be written in place"
                }
            let (api, endpoint) = try await access.answersWithoutToken()
            guard api.status == 429 || [200, 401, 403].contains(api.status) && api.isJSON else {
                throw Failure(ExitStatus.unreachable, "the API answered \(api.status), not a list")
            }
            let what = "the API (\(api.status)) and the token endpoint (\(endpoint.status)) answer without one"
            return Finding(
                what: "token", from: origin, ok: true,
                detail: "not tried, since a refresh token is good for one use; \(file), and \(what)")
        } catch {
            return Finding(what: "token", from: origin, error)
        }
    }
}
