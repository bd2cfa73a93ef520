import ActionsAPI
import ActionsHTTP
import Foundation
import Logging

/// What gives this program its access tokens.
struct TokenSetting {
    enum Kind {
        case fixed(AccessToken)
        /// Another program may put a new token into the file.
        case file(path: String, AccessToken)
        case clientCredentials(ClientCredentials)
        case refreshToken(path: String, ClientCredentials)
    }

    var kind: Kind
    /// Files with secrets that were read.
    var files: [String]
}

/// All that it takes to ask the API, looked at before anything is touched.
struct APIAccess {
    let api: Setting<String>
    let apiProxy: Setting<ProxyServer>?
    let token: Setting<TokenSetting>
    /// Nil if no token is ever asked for.
    let tokenURL: Setting<String>?
    private let tokenProxy: Setting<ProxyServer>?
    private let trustRoots: TrustRoots?
    /// While there are any, the process is not to end.
    let exchanges = ExchangesUnderWay()

    /// - Throws: `SettingError`.
    init(_ sources: SettingSources) throws {
        let proxies = ProxySettings(environment: sources.environment)
        api = try sources.api()
        apiProxy = try proxies.proxy(for: api.value)
        trustRoots = try sources.trustRoots()
        token = try sources.token()
        switch token.value.kind {
        case .fixed, .file: (tokenURL, tokenProxy) = (nil, nil)
        case .clientCredentials, .refreshToken:
            let url = try sources.tokenURL()
            (tokenURL, tokenProxy) = (url, try proxies.proxy(for: url.value))
        }
    }

    /// Runs `body` with a client whose connections are closed when it returns, once a token that is being exchanged is
    /// stored.
    ///
    /// - Parameters:
    ///   - connections: to the API at most.
    ///   - room: bytes that bodies in flight hold together; one large body at a time may go beyond.
    ///   - largestBody: bytes.
    ///   - attempts: to get a token.
    ///   - logger: records renewed tokens.
    func withClient<R>(
        connections: Int, room: Int, largestBody: Int = TransportLimits().body, attempts: Int, logger: Logger? = nil,
        _ body: (ActionsClient) async throws -> R
    ) async throws -> R {
        EventLoops.configure()
        var limits = TransportLimits()
        limits.body = largestBody
        let onEvent: @Sendable (TokenSource.Event) -> Void = { event in
            if let logger { Self.log(event, logger) }
        }
        let userAgent = "stored-actions/\(toolVersion)"
        return try await HTTPTransport.withTransport(
            baseURL: api.value, route: HTTPRoute(proxy: apiProxy?.value, trustRoots: trustRoots),
            connections: connections, limits: limits, room: BodyRoom(capacity: room), userAgent: userAgent
        ) { transport in
            switch token.value.kind {
            case .fixed(let token):
                return try await body(ActionsClient(transport: transport, tokens: TokenSource(token)))
            case .file(let path, let token):
                return try await body(
                    ActionsClient(
                        transport: transport,
                        tokens: TokenSource(token, issuer: TokenFile(path: path), onEvent: onEvent)))
            case .clientCredentials(let client), .refreshToken(_, let client):
                return try await HTTPTransport.withTransport(
                    baseURL: tokenURL?.value ?? "",
                    route: HTTPRoute(proxy: tokenProxy?.value, trustRoots: trustRoots), connections: 1,
                    limits: .ofTokens, room: BodyRoom(capacity: TransportLimits.ofTokens.body), userAgent: userAgent
                ) { tokenTransport in
                    let requests = TokenRequests()
                    let endpoint = TokenEndpoint(transport: tokenTransport, client: client, requests: requests)
                    let tokens = TokenSource(
                        nil, issuer: issuer(endpoint), retries: RetryPolicy(attempts: attempts), requests: requests,
                        onEvent: onEvent)
                    let result = await outcome { try await body(ActionsClient(transport: transport, tokens: tokens)) }
                    await tokens.close()
                    return try result.get()
                }
            }
        }
    }

    private static func log(_ event: TokenSource.Event, _ logger: Logger) {
        switch event {
        case .issued(isFirst: true, wasDelayed: false): logger.debug("access token issued")
        case .issued(isFirst: true, wasDelayed: true): logger.notice("access token issued after retrying")
        case .issued(isFirst: false, wasDelayed: false): logger.info("access token renewed")
        case .issued(isFirst: false, wasDelayed: true): logger.notice("access token renewed after retrying")
        case .delayed(let reason): logger.warning("cannot get an access token; retrying: \(reason)")
        }
    }

    private func issuer(_ endpoint: TokenEndpoint) -> any TokenIssuer {
        if case .refreshToken(let path, _) = token.value.kind {
            return RefreshTokenGrant(
                file: RefreshTokenFile(path: path), endpoint: endpoint, exchanges: exchanges)
        }
        return ClientCredentialsGrant(endpoint: endpoint)
    }

    private func outcome<R>(_ body: () async throws -> R) async -> Result<R, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }

    /// Warns of files with secrets that other users can get at.
    func warn(_ logger: Logger) {
        for path in token.value.files {
            for complaint in SecretFile(path: path)?.complaints ?? [] { logger.warning("\(complaint)") }
        }
    }

    /// Asks the API and the token endpoint without any credentials, which costs none: do they answer at all?
    ///
    /// - Throws: `TransportError`.
    func answersWithoutToken() async throws -> (api: APIResponse, tokenEndpoint: APIResponse) {
        let api = try await answer(to: .listOfStoredActions, at: api.value, apiProxy)
        return (api, try await answer(to: .base, at: tokenURL?.value ?? "", tokenProxy))
    }

    private func answer(
        to request: APIRequest, at url: String, _ proxy: Setting<ProxyServer>?
    ) async throws -> APIResponse {
        try await HTTPTransport.withTransport(
            baseURL: url, route: HTTPRoute(proxy: proxy?.value, trustRoots: trustRoots), connections: 1,
            limits: .ofTokens, room: BodyRoom(capacity: TransportLimits.ofTokens.body),
            userAgent: "stored-actions/\(toolVersion)"
        ) { try await $0.send(request) }
    }
}

extension TransportLimits {
    /// Of requests for tokens: small answers, and an export that waits for them.
    fileprivate static let ofTokens: TransportLimits = {
        var limits = TransportLimits()
        limits.read = .seconds(15)
        limits.total = .seconds(30)
        limits.body = 1 << 20
        return limits
    }()
}
