import Postgres
import Testing

@Suite("What is decided without a server")
struct PureTests {
    @Test(
        "An SQLSTATE tells the kind, and the kind whether the same call may pass later",
        arguments: [
            ("40001", .conflict, true), ("40P01", .conflict, true), ("57P01", .shutdown, true),
            ("57P02", .shutdown, true), ("57P03", .shutdown, true), ("55000", .shutdown, true),
            ("53300", .resources, true),
            ("53100", .resources, true), ("55P03", .lockNotAvailable, true), ("08006", .connectionLost, true),
            ("28P01", .authentication, false), ("57014", .timeLimit, false), ("25P04", .timeLimit, false),
            ("22P02", .data, false),
            ("23505", .data, false), ("42501", .permission, false), ("42P01", .other, false),
            ("XX000", .other, false), ("", .other, false),
        ] as [(String, PostgresError.Kind, Bool)])
    func kinds(sqlstate: String, kind: PostgresError.Kind, isTransient: Bool) {
        #expect(PostgresError.Kind(sqlstate: sqlstate) == kind)
        #expect(kind.isTransient == isTransient)
    }

    @Test("A COMMIT of unknown end is not simply tried again")
    func commitUnknownIsNotTransient() {
        #expect(!PostgresError.Kind.commitUnknown.isTransient)
    }

    @Test("Gaps double from a tenth of a second to five seconds and end within a minute")
    func gaps() {
        let policy = ReconnectPolicy()
        var elapsed = Duration.zero
        var gaps: [Duration] = []
        while let gap = policy.gap(afterFailure: gaps.count + 1, elapsed: elapsed) {
            gaps.append(gap)
            elapsed += gap
        }
        let growing: [Duration] = [100, 200, 400, 800, 1600, 3200].map { .milliseconds($0) }
        #expect(gaps == growing + Array(repeating: .seconds(5), count: 10))
        #expect(policy.gap(afterFailure: Int.max, elapsed: .zero) == .seconds(5))
    }

    @Test("Losses and conflicts are repeated as often as the policy says, a first conflict at once")
    func bounds() {
        let policy = ReconnectPolicy(losses: 2, conflicts: 3)
        #expect((1...3).map { policy.gap(afterLoss: $0) } == [.milliseconds(100), .milliseconds(200), nil])
        #expect(
            (1...4).map { policy.gap(afterConflict: $0) } == [.zero, .milliseconds(10), .milliseconds(20), nil])
        #expect(ReconnectPolicy.never.gap(afterFailure: 1, elapsed: .zero) == nil)
        #expect(ReconnectPolicy.never.gap(afterLoss: 1) == nil)
        #expect(ReconnectPolicy.never.gap(afterConflict: 1) == nil)
    }

    @Test(
        "An identifier is quoted whole, its quotes doubled, a NUL left out",
        arguments: [
            ("results", #""results""#), ("Two Words", #""Two Words""#), (#"a"b"#, #""a""b""#),
            (#"x"; drop table y; --"#, #""x""; drop table y; --""#), ("a\0b", #""ab""#), ("é", "\"é\""),
        ])
    func identifiers(name: String, quoted: String) {
        #expect(quoteIdentifier(name) == quoted)
    }

    @Test("An error is reported in one line that names the place and none of the values")
    func description() {
        var error = PostgresError(
            .data, operation: "query", message: #"invalid input syntax for type uuid: "s"3c"ret""#)
        error.sqlstate = "22P02"
        error.detail = "secret"
        error.context = "COPY t, line 1, column a: secret"
        error.schema = "stored_actions"
        error.table = "runs"
        error.column = "run_id"
        error.constraint = "runs_pkey"
        error.hint = "Try\n\tthis."
        #expect(
            error.description == """
                query: invalid input syntax for type uuid: "…" (SQLSTATE 22P02, table stored_actions.runs, \
                column run_id, constraint runs_pkey); hint: Try this.
                """)
    }

    @Test(
        "How a connection is protected, and what would protect it",
        arguments: [
            (.localSocket, nil, "prefer", false, "a local socket"),
            (.loopback, nil, "prefer", false, "not encrypted, within this machine"),
            (.loopback, "TLSv1.3", "prefer", false, "the server not verified (sslmode=prefer)"),
            (.network, nil, "prefer", true, "not encrypted (sslmode=prefer): set sslmode=verify-full"),
            (.network, nil, "disable", true, "not encrypted (sslmode=disable): set sslmode=verify-full"),
            (.network, "TLSv1.3", "prefer", true, "TLSv1.3, but the server is not verified (sslmode=prefer): set"),
            (.network, "TLSv1.2", "allow", true, "not verified (sslmode=allow)"),
            (.network, "TLSv1.3", "require", true, "not verified (sslmode=require)"),
            (.network, "TLSv1.3", "verify-ca", false, "not for its host name: sslmode=verify-full does"),
            (.network, "TLSv1.3", "verify-full", false, "TLSv1.3, the server's certificate verified"),
        ] as [(ConnectionSecurity.Path, String?, String, Bool, String)])
    func security(path: ConnectionSecurity.Path, version: String?, mode: String, isExposed: Bool, words: String) {
        let security = ConnectionSecurity(path: path, tlsVersion: version, sslMode: mode)
        #expect(security.isExposed == isExposed)
        #expect(security.summary.contains(words), "\(security.summary)")
        // libpq 15 refuses it.
        #expect(!security.summary.contains("system"))
    }

    @Test("With a file of trusted authorities, sslmode=require verifies as verify-ca does; weaker modes do not")
    func rootFile() {
        var security = ConnectionSecurity(
            path: .network, tlsVersion: "TLSv1.3", sslMode: "require", hasRootFile: true)
        #expect(!security.isExposed)
        #expect(security.summary.contains("not for its host name: sslmode=verify-full does"), "\(security.summary)")
        security.sslMode = "prefer"
        #expect(security.isExposed)
    }

    @Test("Kerberos protects as well as TLS does")
    func kerberos() {
        let security = ConnectionSecurity(path: .network, tlsVersion: nil, usesGSS: true, sslMode: "prefer")
        #expect(!security.isExposed)
        #expect(security.summary == "encrypted and verified by Kerberos")
    }
}
