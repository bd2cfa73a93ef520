/// Bodies that try a reader's patience.
extension RunAnswers {
    static func largeResults(kibibytes: Int) -> String {
        let filler = String(repeating: "0123456789abcdef", count: 60)
        var text = "["
        text.reserveCapacity(kibibytes * 1024 + 64)
        for index in 0..<max(kibibytes, 1) {
            let head = (index == 0 ? "" : ",") + "{\"position\":\(index),\"filler\":\""
            text += head
            text += filler
            text += String(repeating: "z", count: max(0, 1024 - head.count - filler.count - 2))
            text += "\"}"
        }
        return text + "]"
    }

    static func deepResults(levels: Int) -> String {
        "[{\"deep\":" + String(repeating: "[", count: levels) + String(repeating: "]", count: levels) + "}]"
    }

    /// Each is valid JSON, and something in the way of storing it exactly.
    static let hardResults = #"""
        [{"nul":"a\u0000b"},{"lone":"\ud800"},{"huge":1e400},{"doubled":1,"doubled":2},{"minus_zero":-0},\#
        {"vast":1e131072},{"tiny":1e-20000},{"key\u0000":1},{"plain":"value"}]
        """#

    static func invalidUTF8(_ result: RunResult) -> Answer {
        let mark = "@@"
        var answer = result.with(results: [["broken": .string(mark)]]).answer
        answer.body = answer.body.split(separator: Array(mark.utf8), maxSplits: 1).map(Array.init)
            .reduce(into: []) { $0 += $0.isEmpty ? $1 : [0xC3, 0x28, 0xFF] + $1 }
        return answer
    }
}

extension Answer {
    func delayed(_ delay: Duration) -> Answer {
        var answer = self
        answer.delay = delay
        return answer
    }

    func delivered(_ delivery: Delivery) -> Answer {
        var answer = self
        answer.delivery = delivery
        return answer
    }

    func retryable(after seconds: Int) -> Answer {
        var answer = self
        answer.retryAfter = seconds
        return answer
    }

    var cutInHalf: Answer {
        var answer = delivered(.cut(after: body.count / 2))
        answer.isFinal = false
        return answer
    }

    var gzipped: Answer {
        var answer = self
        answer.body = Gzip.stored(body)
        answer.headers[.contentEncoding] = "gzip"
        return answer
    }
}
