import Glibc

/// Answers the requests of clients and of the harness.
final class Service {
    static let idLength = 36
    /// Large enough that no export waits for the rate window.
    private static let limit = 100_000_000
    private static let windowSeconds = 3600

    private let bodies: Bodies
    private var requests = 0
    /// On the monotonic clock, nanoseconds; 0 before the first.
    private var firstRequest = 0
    private var now = 0
    private var date = ""
    private let windowEnd = time(nil) + windowSeconds

    init(bodies: Bodies) { self.bodies = bodies }

    /// Looks at the clock, once for all requests that came together.
    func look() {
        let second = time(nil)
        guard second != now else { return }
        now = second
        var (fields, instant) = (tm(), second)
        gmtime_r(&instant, &fields)
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 40) { text in
            strftime(text.baseAddress!, text.count, "%a, %d %b %Y %H:%M:%S GMT", &fields)
            date = String(cString: text.baseAddress!)
        }
    }

    /// - Parameter request: its head.
    func answer(_ request: UnsafeRawBufferPointer, into answer: inout Answer) {
        answer.begin()
        if let runID = Self.runID(request) {
            requests += 1
            if firstRequest == 0 { firstRequest = Self.nanoseconds() }
            let end = bodies.end(for: runID)
            head("200 OK", length: bodies.byteCount(end: end), into: &answer)
            answer.append(bodies.start)
            answer.append(runID)
            answer.end(with: end)
        } else if request.starts(with: "GET /bench/counts ".utf8) {
            whole("200 OK", #"{"requests":\#(requests),"first_request_ns":\#(firstRequest)}"#, into: &answer)
        } else if request.starts(with: "GET /bench/reset ".utf8) {
            (requests, firstRequest) = (0, 0)
            whole("200 OK", "{}", into: &answer)
        } else {
            let error = #"{"errors":[{"status":404,"code":"not_found","title":"Not Found","detail":"unknown path"}]}"#
            whole("404 Not Found", error, into: &answer)
        }
    }

    private func whole(_ status: StaticString, _ body: String, into answer: inout Answer) {
        head(status, length: body.utf8.count, into: &answer)
        answer.append(body)
    }

    private func head(_ status: StaticString, length: Int, into answer: inout Answer) {
        answer.append("HTTP/1.1 ")
        answer.append(status)
        answer.append("\r\nContent-Type: application/json\r\nDate: ")
        answer.append(date)
        answer.append("\r\nX-RateLimit-Limit: ")
        answer.append(Self.limit)
        answer.append("\r\nX-RateLimit-Remaining: ")
        answer.append(max(0, Self.limit - requests))
        answer.append("\r\nX-RateLimit-Reset: ")
        answer.append(Int(windowEnd))
        answer.append("\r\nContent-Length: ")
        answer.append(length)
        answer.append("\r\n\r\n")
    }

    /// The last part of `GET /actions/v1/stored-actions/{id}/runs/{id}`; nil for other requests.
    private static func runID(_ request: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let start: StaticString = "GET /actions/v1/stored-actions/"
        let middle: StaticString = "/runs/"
        let (first, second) = (start.utf8CodeUnitCount + idLength, start.utf8CodeUnitCount + idLength + 6)
        guard request.count > second + idLength,
            memcmp(request.baseAddress!, start.utf8Start, start.utf8CodeUnitCount) == 0,
            memcmp(request.baseAddress! + first, middle.utf8Start, middle.utf8CodeUnitCount) == 0,
            request[second + idLength] == UInt8(ascii: " ")
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: request[second..<second + idLength])
    }

    private static func nanoseconds() -> Int {
        var instant = timespec()
        clock_gettime(CLOCK_MONOTONIC, &instant)
        return instant.tv_sec * 1_000_000_000 + instant.tv_nsec
    }
}
