import Glibc

struct Options {
    /// 0 picks a free one.
    var port: UInt16 = 0
    /// In each answer's `results`.
    var objects = 5
    /// Of each object, its braces included.
    var bytes = 300
    var seed: UInt64 = 1

    init(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let name = rest.popFirst() {
            guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { Self.endWithUsage() }
            switch name {
            case "--port" where value <= UInt16.max: port = UInt16(value)
            case "--objects" where value <= 1_000_000: objects = Int(value)
            case "--bytes" where (Bodies.shortestObject...100_000).contains(Int(value)): bytes = Int(value)
            case "--seed": seed = value
            default: Self.endWithUsage()
            }
        }
    }

    private static func endWithUsage() -> Never {
        exit(64, "usage: answer-server [--port N] [--objects N] [--bytes N] [--seed N]")
    }
}
