import Postgres
import Testing

@testable import stored_actions

/// Connection strings as people write them: what is wrong is said, and nothing of the string.
@Suite("Connection strings")
struct DatabaseURLTests {
    private static let mistakes: [(url: String, told: String)] = [
        // A password that is not escaped.
        ("postgresql://me:a/hunter2@db.example.com/x", "%2F"), ("postgresql://me:1/hunter2@db.example.com/x", "%2F"),
        ("postgresql://me:/hunter2@db.example.com/x", "%2F"), ("postgres://me:hunter2/@db.example.com/x", "%2F"),
        ("postgresql://me:a@hunter2@db.example.com/x", "%40"), ("postgresql://me:a@b/hunter2@db.example.com/x", "%40"),
        ("postgresql://me:a%hunter2@db.example.com/x", "%25"), ("postgresql://me:hunter2%@db.example.com/x", "%25"),
        ("postgresql://me:hunter2%00@db.example.com/x", "%25"),
        ("postgresql://me:a?hunter2/x@db.example.com/x", "%3F"),
        ("postgresql://me:a?b=1/hunter2@db.example.com/x", "%3F"),
        ("postgresql://me:1?hunter2/x@db.example.com/x", "%3F"),
        ("postgresql://me:1?hunter2=/x@db.example.com", "%3F"),
        ("postgresql://me:a#hunter2/@db.example.com/x", "%23"), ("postgresql://me:hunter2@[::1/x", "]"),
        ("postgresql://hunter2:hunter2:hunter2", "port"),
        ("postgresql://me:hunter2\nhunter2@db.example.com/x", "line break"),
        ("password=a hunter2", "single quotes"), ("password='a'hunter2", "single quotes"),
        ("password=a hunter2=b", "single quotes"), ("password='hunter2", "single quotes"),
        ("host=x pasword=hunter2", "pasword"), ("hunter2", "neither"), ("db.example.com/hunter2", "neither"),
        // Other programs' forms.
        ("jdbc:postgresql://db.example.com/x?user=me&password=hunter2", "Java"), ("jdbc:postgresql:x", "Java"),
        ("postgresql+psycopg2://me:hunter2@db.example.com/x", "+psycopg2"),
        ("postgres+asyncpg://me:hunter2@db.example.com/x", "+asyncpg"),
        ("mysql://me:hunter2@db.example.com/x", "does not begin with postgresql://"),
        ("http://me:hunter2@db.example.com/x", "does not begin with postgresql://"),
        ("Postgresql://me:hunter2@db.example.com/x", "capital"),
        ("POSTGRES://me:hunter2@db.example.com/x", "capital"),
        ("postgresql://me:hunter2@db.example.com/x?pgbouncer=true", "pgbouncer=, which is Prisma's"),
        ("postgresql://me:hunter2@db.example.com/x?sslmode=require&schema=public", "schema=, which is Prisma's"),
        ("postgresql://me:hunter2@db.example.com/x?currentSchema=a", "Java"),
        ("postgresql://me:hunter2@db.example.com/x?connection_limit=1", "Prisma"),
        ("postgresql://me:hunter2@db.example.com/x?ssl=1", "sslmode=require"),
        ("postgresql://me:hunter2@db.example.com/x?nonsense=1", "nonsense="),
        ("postgresql://me:hunter2@db.example.com/x?sslmode", "without a value"),
        ("postgresql://me:hunter2@db.example.com/x?options=-c a=hunter2", "%3D"),
        ("Host=db.example.com;Username=me;Password=hunter2", ".NET"),
        ("psql postgresql://me:hunter2@db.example.com/x", "without psql"),
        ("DATABASE_URL=postgresql://me:hunter2@db.example.com/x", "name of a variable"),
        ("export DATABASE_URL=postgresql://me:hunter2@db.example.com/x", "name of a variable"),
        ("$DATABASE_URL", "unexpanded variable"), ("\"postgresql://me:hunter2@db.example.com/x", "quotation mark"),
        ("postgresql://me:hunter2@db.example.com/x\"", "quotation mark"),
        // Values that no server would be asked about.
        ("postgresql://me:hunter2@db.example.com:99999/x", "port"),
        ("postgresql://me:hunter2@db.example.com:0/x", "port"),
        ("postgresql://me:hunter2@a.example,b.example:x/x", "port"), ("host=x port=abc password=hunter2", "port"),
        ("host=x port=1,2 password=hunter2", "port"), ("host=x hostaddr=::1,::2 password=hunter2", "hostaddr"),
        ("host=x sslmode=sometimes password=hunter2", "sslmode"),
        ("host=x sslmode=Require password=hunter2", "sslmode"),
        ("postgresql://me:hunter2@db.example.com/x?sslmode=no-verify", "sslmode"),
        ("host=x connect_timeout=soon password=hunter2", "connect_timeout"),
        ("host=x channel_binding=yes password=hunter2", "channel_binding"),
        ("host=x gssencmode=yes password=hunter2", "gssencmode"),
        ("host=x target_session_attrs=master password=hunter2", "target_session_attrs"),
        ("host=x ssl_min_protocol_version=1.2 password=hunter2", "ssl_min_protocol_version"),
        ("host=postgresql://me:hunter2@db.example.com/x", "@"),
        ("dbname=postgresql://me:hunter2@db.example.com/x", "dbname"),
        ("dbname='host=x password=hunter2'", "dbname"), ("host=db.example.com:5432 password=hunter2", "port"),
        ("host=db.example.com/x password=hunter2", "host"), ("host='a b' password=hunter2", "white space"),
        ("service=hunter2", "service"),
        ("host=x sslmode=verify-full sslrootcert=/no/hunter2", "sslrootcert"),
        ("host=x sslcert=/no/hunter2", "sslcert"),
    ]

    @Test(arguments: mistakes.map(\.url))
    func `A string that cannot be used ends with 78 and is not told`(_ url: String) throws {
        let told = try #require(Self.mistakes.first { $0.url == url }?.told)
        let sources = SettingSources(environment: ["DATABASE_URL": url])
        let error = #expect(throws: SettingError.self) { try sources.database() }
        let failure = Failure(try #require(error))
        #expect(failure.status == 78)
        #expect(failure.text.contains("DATABASE_URL") && failure.text.contains(told), "\(failure.text)")
        #expect(!failure.text.contains("unter"), "\(failure.text)")
        let flag = #expect(throws: SettingError.self) {
            try SettingSources(databaseURL: url, environment: [:]).database()
        }
        #expect(flag.map { Failure($0).status } == 64)
        #expect(flag?.description.contains("unter") == false)
    }

    @Test(arguments: [
        "postgresql://", "postgres://localhost", "postgresql://me@db.example.com/x",
        "postgresql:///x?host=/tmp&port=5433", "postgresql://me:a%2Fb%40c%25d%3Ae@db.example.com:5433/x",
        "postgresql://me:a:b?c#d&e@db.example.com/x",
        "postgresql://a.example:1,b.example:2/x?target_session_attrs=read-write", "postgresql://[::1]:5433/x",
        "postgresql://%2Ftmp/x", "postgresql://db.example.com/x?ssl=true",
        "postgresql://db.example.com/x?options=-c%20statement_timeout%3D5s",
        "postgresql://db.example.com/x?user=a@b.example", "host=x password='a b' port=5433", "host=/tmp user=me",
        "host=a,b port=1,2", "host=a,b port=1", "dbname=x", " postgresql://db.example.com/x\r\n",
        "'postgresql://db.example.com/x'", "\"host=x\"\n", "host = x port = 5433",
        "host=x connect_timeout=' 5 ' keepalives=0 sslmode=prefer sslsni=0",
    ])
    func `A string that libpq reads is taken, without what a file puts around it`(_ url: String) throws {
        let sources = SettingSources(environment: ["DATABASE_URL": url])
        #expect(throws: Never.self) { try sources.database() }
    }
}
