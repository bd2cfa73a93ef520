import ActionsAPI
import AsyncHTTPClient
import NIOSSL

/// How connections get to their host, and whom they believe that it is the one.
package struct HTTPRoute: Sendable {
    package var proxy: ProxyServer?
    /// In place of the system's.
    package var trustRoots: TrustRoots?

    package init(proxy: ProxyServer? = nil, trustRoots: TrustRoots? = nil) {
        self.proxy = proxy
        self.trustRoots = trustRoots
    }
}

/// An HTTP proxy, which is asked to `CONNECT`.
package struct ProxyServer: Sendable, Equatable, CustomStringConvertible {
    package var host: String
    package var port: Int
    package var user: String?
    package var password: Secret?

    package init(host: String, port: Int, user: String? = nil, password: Secret? = nil) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
    }

    /// Its address, without user and password.
    package var description: String { "http://\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}

/// The authorities that may vouch for a server, in a PEM file.
package struct TrustRoots: Sendable {
    fileprivate let certificates: [NIOSSLCertificate]

    /// - Returns: nil if the file can't be read, or holds none.
    package init?(path: String) {
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else { return nil }
        self.certificates = certificates
    }
}

extension HTTPClient.Configuration {
    init(_ route: HTTPRoute) {
        self.init()
        if let proxy = route.proxy {
            let authorization = proxy.user.map {
                HTTPClient.Authorization.basic(username: $0, password: proxy.password?.value ?? "")
            }
            self.proxy = .server(host: proxy.host, port: proxy.port, authorization: authorization)
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let roots = route.trustRoots { tls.trustRoots = .certificates(roots.certificates) }
        tlsConfiguration = tls
    }
}

/// Why a TLS handshake failed, as a phrase. BoringSSL reports it as text only.
enum TLSFailure {
    static func reason(_ error: NIOSSLError) -> String {
        guard case .handshakeFailed(let cause) = error else { return "TLS failed" }
        let text = "\(cause)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return """
                the server's certificate is not trusted: its issuer is in neither the system's trust store nor \
                SSL_CERT_FILE, or it has expired
                """
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return "the TLS handshake failed: the server does not speak TLS on this port"
        }
        if text.contains("UNSUPPORTED_PROTOCOL") || text.contains("PROTOCOL_VERSION") {
            return "the TLS handshake failed: the server offers no TLS 1.2 or later"
        }
        return "the TLS handshake failed"
    }

    static func reason(_ error: NIOSSLExtraError) -> String {
        switch error {
        case .failedToValidateHostname, .serverHostnameImpossibleToMatch:
            "the server's certificate is for another host name: is the address right?"
        default: "the TLS handshake failed"
        }
    }
}
