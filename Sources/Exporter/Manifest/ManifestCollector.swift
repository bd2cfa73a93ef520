import ActionsAPI
import Foundation

/// What the reading of several sources has brought to light so far.
struct ManifestCollector {
    /// The most bytes of one value, line or record that are held in memory.
    let pieceLimit: Int
    let sources: [ManifestSource]

    /// Whether a manifest in JSON Lines or CSV may name no run.
    let allowsEmpty: Bool

    var problems: ProblemList
    /// What may be wrong with manifests that are valid.
    private(set) var warnings: [ManifestProblem] = []
    var storedActions = StoredActionTable()
    /// The runs in the order in which they are named, those named twice included.
    var runs: SpoolWriter
    /// What follows the head of a run's record; kept for its memory.
    private var rest = RecordWriter()
    /// By source; nil for one that was not read.
    var formats: [ManifestFormat?]
    /// By source: how often it names a run.
    private(set) var runCounts: [Int]

    init(
        sources: [ManifestSource], pieceLimit: Int, maxProblems: Int, allowsEmpty: Bool = false,
        temporaryDirectory: String
    ) {
        self.sources = sources
        self.allowsEmpty = allowsEmpty
        self.pieceLimit = pieceLimit
        problems = ProblemList(limit: maxProblems)
        runs = SpoolWriter(directory: temporaryDirectory)
        formats = Array(repeating: nil, count: sources.count)
        runCounts = Array(repeating: 0, count: sources.count)
    }

    mutating func addProblem(_ message: String, at place: String, source: Int, offset: Int) {
        let problem = ManifestProblem(source: sources[source].description, place: place, message: message)
        problems.add(problem, source: source, offset: offset)
    }

    /// Reports that there are more or fewer runs than the producer of the manifests says.
    mutating func addWrongCount(_ count: Int, expected: Int) {
        let problem = ManifestProblem(
            source: "--expect-runs \(expected)", place: "",
            message:
                "the manifests name \(count) \(count == 1 ? "run" : "runs"): wait until they are whole, or correct "
                + "the number")
        problems.add(problem, source: sources.count, offset: 0)
    }

    mutating func addWarning(_ message: String, at place: String, source: Int) {
        warnings.append(ManifestProblem(source: sources[source].description, place: place, message: message))
    }

    mutating func addFindings(_ findings: [FieldReader.Finding], at place: ManifestPlace, source: Int, offset: Int) {
        for finding in findings {
            addProblem(finding.message, at: place.text(finding.key), source: source, offset: offset)
        }
    }

    /// Stores the runs of one element, line or record, or reports what is wrong with it.
    mutating func add(_ fields: RunFields, at place: ManifestPlace, source: Int, offset: Int) throws {
        addFindings(fields.findings, at: place, source: source, offset: offset)
        if let label = fields.settings.label, let id = fields.runs.first?.key.storedActionID {
            addLabel(label, of: id, at: place, source: source, offset: offset)
        }
        runCounts[source] += fields.runs.count
        for run in fields.runs {
            let mention = SpooledRun.Mention(source: source, offset: offset, index: place.index, subindex: run.index)
            let spooled = SpooledRun(
                key: run.key, executedAt: fields.executedAt, settings: fields.settings, mention: mention)
            try spooled.append(to: &runs)
        }
    }

    /// Stores a run that was read the fast way.
    @inline(__always)
    mutating func add(_ run: PlainRun, at place: ManifestPlace, source: Int, offset: Int) throws {
        if let label = run.settings.label, !storedActions.isLatestLabel(label, of: run.storedActionID) {
            let text = String(decoding: label, as: UTF8.self)
            addLabel(text, of: run.storedActionID.uuid, at: place, source: source, offset: offset)
        }
        runCounts[source] += 1
        let head = RunRecordHead(
            storedActionID: run.storedActionID, runID: run.runID, executedAt: run.executedAt, source: source,
            offset: offset, index: place.index, hasRest: !run.settings.isEmpty)
        guard head.hasRest else { return try runs.append(head) }
        rest.clear()
        run.settings.write(to: &rest)
        try runs.append(head, rest.bytes)
    }

    mutating func addStoredAction(
        _ settings: ManifestSettings, of id: UUID, at place: ManifestPlace, source: Int, offset: Int
    ) {
        for (key, other) in storedActions.add(settings, of: id, source: source) {
            let message = "differs from what \(sources[other].description) says of it: make the two agree"
            addProblem(message, at: place.text(key), source: source, offset: offset)
        }
        if let label = settings.label { addLabel(label, of: id, at: place, source: source, offset: offset) }
    }

    /// A stored action has one label, wherever a manifest gives it.
    private mutating func addLabel(
        _ label: String, of id: UUID, at place: ManifestPlace, source: Int, offset: Int
    ) {
        let mention = StoredActionTable.LabelMention(label: label, source: source, place: place)
        switch storedActions.label(id, mention) {
        case nil: break
        case .betweenManifests(let earlier):
            let other = sources[earlier.source].description
            let before =
                switch earlier.place {
                case .storedAction, .top: other
                case .element, .line: "\(earlier.place.text()) of \(other)"
                }
            addProblem(
                "differs from what \(before) says of it: make the two agree", at: place.text("label"), source: source,
                offset: offset)
        case .betweenRuns(let earlier):
            addWarning(
                "differs from the label of the same stored action at \(earlier.place.text()): the last one counts",
                at: place.text("label"), source: source)
        }
    }

    /// Reports a run that is named again with other settings than before.
    mutating func addConflict(_ conflict: RunConflict) {
        let (first, later) = (conflict.first.mention, conflict.later.mention)
        var before = "at \(place(of: first))"
        if first.source != later.source { before += " of \(sources[first.source].description)" }
        let keys =
            conflict.keys.count > 1
            ? "different \(conflict.keys.joined(separator: ", "))" : "another \(conflict.keys.joined())"
        addProblem(
            "the run \(conflict.later.key.runID.lowercase) is named before, \(before), with \(keys): "
                + "make the two agree, or remove one",
            at: place(of: later), source: later.source, offset: later.offset)
    }

    private func place(of mention: SpooledRun.Mention) -> String {
        let place = formats[mention.source] == .json ? ManifestPlace.element(mention.index) : .line(mention.index)
        return place.text(mention.subindex.map { "run_ids[\($0)]" } ?? "run_id")
    }
}
