import HTTPTypes

/// One HTTP answer, decided but not yet sent.
struct Answer: Sendable {
    /// How the bytes leave.
    enum Delivery: Equatable, Sendable {
        case whole
        /// The head promises the whole body; the connection closes after so many bytes of it.
        case cut(after: Int)
        /// The connection closes before any byte of an answer.
        case none
        /// Half of the body, a pause, the other half.
        case stall(Duration)
        /// Small pieces with a pause after each.
        case drip(bytes: Int, every: Duration)
    }

    var status: Int
    var headers: HTTPFields = [:]
    var body: [UInt8] = []
    var delivery: Delivery = .whole
    /// To wait before the first byte.
    var delay: Duration = .zero
    /// Whole seconds for a `Retry-After`; how it is written is the server's setting.
    var retryAfter: Int?
    /// Whether a client that has got this has no reason to ask for the run again.
    var isFinal = false

    static func json(_ status: Int, _ value: JSON) -> Answer {
        text(status, value.text, type: "application/json")
    }

    static func html(_ status: Int, _ title: String) -> Answer {
        let page = "<!DOCTYPE html>\n<html><head><title>\(title)</title></head><body><h1>\(title)</h1></body></html>\n"
        return text(status, page, type: "text/html; charset=utf-8")
    }

    static func text(_ status: Int, _ text: String, type: String) -> Answer {
        bytes(status, Array(text.utf8), type: type)
    }

    static func bytes(_ status: Int, _ body: [UInt8], type: String) -> Answer {
        Answer(status: status, headers: [.contentType: type], body: body)
    }

    /// The same answer, marked as the last that a client needs.
    var final: Answer {
        var answer = self
        answer.isFinal = true
        return answer
    }
}
