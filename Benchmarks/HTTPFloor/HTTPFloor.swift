import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1

/// What the requests of an export cost without the export: AsyncHTTPClient fetches the paths in a file, one a line, and
/// drops the bodies.
///
///     http-floor URL PATHS CONCURRENCY
@main
enum HTTPFloor {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let concurrency = Int(arguments[3]), let paths = Paths(file: arguments[2]) else {
            print("usage: http-floor URL PATHS CONCURRENCY")
            exit(64)
        }
        let base = arguments[1]
        let bytes = try await HTTPClient.withHTTPClient(configuration: configuration(connections: concurrency)) {
            client in
            try await withThrowingTaskGroup { group in
                for _ in 0..<concurrency {
                    group.addTask {
                        var bytes = 0
                        while let path = paths.next() { bytes += try await fetch(base + path, with: client) }
                        return bytes
                    }
                }
                var bytes = 0
                for try await count in group { bytes += count }
                return bytes
            }
        }
        print("\(bytes) bytes")
    }

    /// That of the exporter's transport.
    private static func configuration(connections: Int) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .seconds(10)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.decompression = .disabled
        return configuration
    }

    /// - Returns: bytes of the body.
    private static func fetch(_ url: String, with client: HTTPClient) async throws -> Int {
        var request = HTTPClientRequest(url: url)
        request.headers = [
            "User-Agent": "http-floor", "Accept": "application/json", "Accept-Encoding": "gzip, deflate",
            "Authorization": "Bearer bench",
        ]
        let response = try await client.execute(request, deadline: .distantFuture)
        guard response.status == .ok else { throw UnexpectedStatus(status: response.status) }
        var count = 0
        for try await chunk in response.body { count += chunk.readableBytes }
        return count
    }
}

struct UnexpectedStatus: Error {
    var status: HTTPResponseStatus
}
