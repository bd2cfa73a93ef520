import Foundation

@testable import Exporter
@testable import JSONText

/// Manifests of one call. The first line says how to read them: a letter a manifest (`j` JSON, `l` JSON Lines, `c` CSV,
/// anything else by its start), a digit for the size of the chunks. A line of `----` stands between two manifests.
func fuzz(_ input: [UInt8]) {
    let end = input.firstIndex(of: 0x0A) ?? input.endIndex
    let head = input[..<end].prefix(8)
    let texts = Array(input[end...].dropFirst()).split(separator: Array("\n----\n".utf8), maxSplits: 2)
    let chunkSize = head.compactMap { byte in (0x31...0x39).contains(byte) ? Int(byte) - 0x30 : nil }.first ?? 1
    let formats = head.filter { $0 > 0x39 } + [0, 0, 0]
    let manifests = zip(texts, formats).map { text, format in
        // The reader of files sees to UTF-16 and to the byte order mark before it asks for the form.
        let text = Array(text.starts(with: [0xEF, 0xBB, 0xBF]) ? text.dropFirst(3) : text)
        return (text: text, format: ManifestFormat(letter: format, text: text))
    }
    let whole = Reading(manifests, chunkSize: .max)
    require(whole == Reading(manifests, chunkSize: chunkSize), "what is read depends on how the bytes come in")
    whole.check()
    for manifest in manifests {
        let start = Array(manifest.text.prefix(4_096))
        let look = TextLook(start)
        let faults = [foreignTextFault(start), manifest.format.fault(of: look)?.message].compactMap(\.self)
        require(
            !faults.contains { $0.isEmpty || $0.unicodeScalars.contains(where: isControl) }, "a fault can't be shown")
    }
    // What is too large to be held is skipped unseen.
    for (manifest, isCutShort) in zip(manifests, whole.isCutShort)
    where manifest.format == .json && manifest.text.count <= Reading.pieceLimit {
        let isObject = (try? JSONValue(validating: manifest.text))?.kind == .object
        require(isObject != isCutShort, "a text is read to its end that is no JSON object, or not read that is one")
    }
}

/// What comes of the reading of several manifests.
private struct Reading: Equatable {
    static let pieceLimit = 1_024

    private var problems: [ManifestProblem] = []
    private var runs: [ManifestRun] = []
    private(set) var isCutShort: [Bool] = []

    init(_ manifests: [(text: [UInt8], format: ManifestFormat)], chunkSize: Int) {
        let sources = manifests.indices.map { ManifestSource(.file(path: "\($0)")) }
        var collector = ManifestCollector(
            sources: sources, pieceLimit: Self.pieceLimit, maxProblems: .max, temporaryDirectory: NSTemporaryDirectory()
        )
        for (index, manifest) in manifests.enumerated() {
            collector.formats[index] = manifest.format
            var rest = manifest.text[...]
            let stream = ByteStream {
                defer { rest = rest.dropFirst(chunkSize) }
                return Array(rest.prefix(chunkSize))
            }
            isCutShort.append(false)
            do {
                switch manifest.format {
                case .json: _ = try JSONManifest.read(stream, source: index, into: &collector)
                case .jsonLines: try LinesManifest.read(stream, source: index, into: &collector)
                case .csv: try CSVManifest.read(stream, source: index, into: &collector)
                }
            } catch let fault as ManifestSyntaxFault {
                isCutShort[index] = true
                require(fault.line > 0 && fault.column > 0, "a place counts from 0")
                require((0...manifest.text.count).contains(fault.offset), "a fault lies outside of the text")
                collector.addProblem(
                    fault.reason, at: "line \(fault.line), column \(fault.column)", source: index, offset: fault.offset)
            } catch {
                fatalError("the reading failed: \(error)")
            }
        }
        let actions = collector.storedActions.merged
        var merge = RunMerge(
            sourceCount: sources.count, storedActions: actions, temporaryDirectory: NSTemporaryDirectory())
        let named = collector.runs.finish()
        do {
            try merge.merge(named) { collector.addConflict($0) }
            let (count, items) = (merge.runCount, merge.itemCounts)
            let merged = Manifests(list: [], storedActions: actions, runCount: count, runs: merge.finish())
            try merged.forEachRunAndPosition { run, position in
                let again = try merged.run(at: position)
                require(again == run, "a run is not found again")
                runs.append(run)
            }
            require(runs.count == count, "runs are counted wrongly")
            require(runs.reduce(0) { $0 + $1.manifests.count } == items.reduce(0, +), "items are counted wrongly")
        } catch {
            fatalError("the merge failed: \(error)")
        }
        problems = collector.problems.first
        require(problems.count == collector.problems.count, "problems are lost")
    }

    func check() {
        for problem in problems {
            // Of these alone the whole text is the place.
            let isOfWhole = problem.message.hasPrefix("the text is empty")
            require(!problem.place.isEmpty || isOfWhole, "a problem has no place: \(problem.message)")
            require(!problem.message.isEmpty, "a problem has no message")
            require(
                !problem.description.unicodeScalars.contains(where: isControl), "a control character would be shown")
            require(problem.description.count < 1_000, "a message is too long to read")
        }
        require(Set(runs.map(\.key)).count == runs.count, "a run stands twice")
        for run in runs {
            require(PageSettings.maxPagesRange.contains(run.pages.maxPages), "max_pages is out of its range")
            require(!run.pages.firstPage.isEmpty, "first_page is empty")
            require(run.label?.unicodeScalars.contains(where: isControl) != true, "a label holds a control character")
            if let inputs = run.pages.inputs {
                let value = try? JSONValue(validating: inputs)
                require(value?.kind == .object && value.map(\.canonical) != nil, "inputs are no JSON object")
            }
        }
    }
}

extension ManifestFormat {
    fileprivate init(letter: UInt8, text: [UInt8]) {
        switch letter {
        case UInt8(ascii: "j"): self = .json
        case UInt8(ascii: "l"): self = .jsonLines
        case UInt8(ascii: "c"): self = .csv
        default: self = ManifestFormat(startOfText: Array(text.prefix(4_096)))
        }
    }
}
