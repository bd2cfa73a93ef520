import CLibPQ

/// How a connection is protected on its way to the server.
package struct ConnectionSecurity: Sendable, Equatable {
    package enum Path: Sendable, Equatable {
        case localSocket
        /// This machine's own addresses.
        case loopback
        case network
    }

    package var path: Path
    /// Such as `TLSv1.3`; nil without TLS.
    package var tlsVersion: String?
    /// Encrypted by Kerberos in place of TLS.
    package var usesGSS: Bool
    /// libpq's `sslmode` in force, wherever it was set.
    package var sslMode: String
    /// There is a file of trusted authorities: with it, libpq treats `sslmode=require` as `verify-ca`
    /// (https://www.postgresql.org/docs/15/libpq-ssl.html).
    package var hasRootFile: Bool

    package init(
        path: Path, tlsVersion: String?, usesGSS: Bool = false, sslMode: String, hasRootFile: Bool = false
    ) {
        self.path = path
        self.tlsVersion = tlsVersion
        self.usesGSS = usesGSS
        self.sslMode = sslMode
        self.hasRootFile = hasRootFile
    }

    init(_ raw: OpaquePointer, sslMode: String, hasRootFile: Bool) {
        let host = PQhost(raw).map { String(cString: $0) } ?? ""
        let address = PQhostaddr(raw).map { String(cString: $0) } ?? ""
        // An @ begins the name of an abstract socket.
        if host.hasPrefix("/") || host.hasPrefix("@") {
            path = .localSocket
        } else {
            path = address.hasPrefix("127.") || address == "::1" ? .loopback : .network
        }
        tlsVersion =
            PQsslInUse(raw) == 1 ? PQsslAttribute(raw, "protocol").map { String(cString: $0) } ?? "TLS" : nil
        usesGSS = PQgssEncInUse(raw) == 1
        self.sslMode = sslMode
        self.hasRootFile = hasRootFile
    }

    /// Over a network, others can read or take over the connection.
    package var isExposed: Bool { path == .network && !usesGSS && (tlsVersion == nil || !isVerified) }

    private var isVerified: Bool {
        ["verify-ca", "verify-full"].contains(sslMode) || (sslMode == "require" && hasRootFile)
    }

    /// For people: what protects the connection, and what would.
    package var summary: String {
        let cure = "set sslmode=verify-full, and sslrootcert to the file of the server's authority"
        switch (path, tlsVersion) {
        case (.localSocket, _): return "a local socket"
        case (_, nil) where usesGSS: return "encrypted and verified by Kerberos"
        case (.loopback, nil): return "not encrypted, within this machine"
        case (.network, nil): return "not encrypted (sslmode=\(sslMode)): \(cure)"
        case (_, let version?) where sslMode == "verify-full": return "\(version), the server's certificate verified"
        case (_, let version?) where isVerified:
            return "\(version), the server's certificate verified, but not for its host name: sslmode=verify-full does"
        case (.loopback, let version?): return "\(version), the server not verified (sslmode=\(sslMode))"
        case (.network, let version?):
            return "\(version), but the server is not verified (sslmode=\(sslMode)): \(cure)"
        }
    }
}
