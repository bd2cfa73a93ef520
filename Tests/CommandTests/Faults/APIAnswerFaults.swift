import Foundation
import Testing

extension Fault {
    static let apiAnswers: [Fault] = [
        Fault(
            name: "API answers HTML", detail: "with 200, 404, 500 and 502",
            calls: [
                Call(
                    api: [(40, 200), (50, 404), (60, 500), (70, 502)].map { first, status in
                        .held(at: .read, occurrence: first, then: .answer(html(status))).repeated(8, every: 50)
                    })
            ]),
        Fault(
            name: "429 storm", detail: "to all that is in flight, with Retry-After and without",
            calls: [
                Call(api: [
                    .held(at: .read, occurrence: 300, then: .answer(tooMany("Retry-After: 1\r\n"))).repeated(34),
                    .held(at: .read, occurrence: 900, then: .answer(tooMany())).repeated(8),
                ])
            ]),
        Fault(
            name: "429 and 503 inside a 200", detail: "as a gateway passes the API's own errors on",
            calls: [
                Call(
                    api: [
                        .held(at: .read, occurrence: 300, then: .answer(inOK(429, "too_many_requests"))).repeated(34),
                        .held(at: .read, occurrence: 900, then: .answer(inOK(503, "service_unavailable"))).repeated(8),
                        // The request that opens a window may be the same run's each time, and use up its tries.
                    ], statuses: [3, 75])
            ]),
        Fault(
            name: "Retry-After of an hour", detail: "under a time limit",
            calls: [
                Call(
                    options: ["--time-limit", "5m"],
                    api: [.held(at: .read, occurrence: 600, then: .answer(tooMany("Retry-After: 3600\r\n")))],
                    statuses: [75], tells: ["come back at"],
                    verify: { export, _ in
                        let said = export.finished.stdout
                        let date = try #require(said.firstMatch(of: /come back at ([0-9TZ:-]+)/)?.output.1)
                        let wait = try Date(String(date), strategy: .iso8601).timeIntervalSinceNow
                        // A time to come back is named by an export that does not wait for its time limit.
                        #expect((3000...3601).contains(wait), "\(said)")
                    })
            ]),
    ]

    private static func html(_ status: Int) -> String {
        let page = "<!DOCTYPE html><html><body><h1>Something is going on</h1></body></html>"
        return answer("\(status) Whatever", "Content-Type: text/html\r\n", page)
    }

    private static func tooMany(_ headers: String = "") -> String {
        answer(
            "429 Too Many Requests", "Content-Type: application/json\r\n\(headers)",
            #"{"errors": [{"status": 429, "code": "too_many_requests", "title": "Too many requests"}]}"#)
    }

    private static func inOK(_ status: Int, _ code: String) -> String {
        answer(
            "200 OK", "Content-Type: application/json\r\n",
            #"{"errors": [{"status": \#(status), "code": "\#(code)", "title": "Out of order"}]}"#)
    }

    private static func answer(_ status: String, _ headers: String, _ body: String) -> String {
        "HTTP/1.1 \(status)\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
}
