import JSONText

/// What is said of an invalid last line that has no line end.
let cutShortMessage = "the file ends here without a line end, as if it was cut short: write it again, whole"

/// Reads a manifest in JSON Lines: one run a line. A bad line is reported, and reading continues with the next.
enum LinesManifest {
    static func read(_ stream: ByteStream, source: Int, into collector: inout ManifestCollector) throws {
        var stream = stream
        while true {
            try stream.takeLines(limit: collector.pieceLimit) { bytes, line, offset in
                guard let run = PlainRun(line: bytes) else { return false }
                try collector.add(run, at: .line(line), source: source, offset: offset)
                return true
            }
            let (place, offset) = (ManifestPlace.line(stream.line), stream.offset)
            guard let line = try stream.readLine(limit: collector.pieceLimit) else { return }
            if line.isTooLong {
                let message = "is larger than \(byteCountText(collector.pieceLimit))"
                collector.addProblem(message, at: place.text(), source: source, offset: offset)
                continue
            }
            var bytes = line.bytes
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
            do {
                let value = try JSONValue(validating: bytes)
                try collector.add(RunFields(line: value), at: place, source: source, offset: offset)
            } catch let error as JSONSyntaxError {
                let cure = line.isTerminated ? "write one JSON object a line" : cutShortMessage
                let message = "column \(error.offset + 1): \(error.reason): \(cure)"
                collector.addProblem(message, at: place.text(), source: source, offset: offset)
            }
        }
    }
}
