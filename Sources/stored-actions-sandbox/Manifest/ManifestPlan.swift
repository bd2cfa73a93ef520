import Foundation

/// The runs of a manifest, in its order.
struct ManifestPlan: Sendable {
    struct Entry: Sendable {
        let action: CodedID
        let run: CodedID
        let executedAt: Date?
        /// What to send for the next page, for a bulk read whose pages are to be followed.
        var inputs: JSON?
        /// What kind of action it is, where a look-up does not say enough to follow the pages.
        var actionType: String?
    }

    /// With the labels that the manifest gives them.
    let actions: [(id: CodedID, label: String)]
    let entries: [Entry]

    /// - Parameter now: the base of all dates; nil leaves them out.
    init(
        mix: Mix, runs: Int, pages: Int, pagesMix: PagesMix = .ordinary, storedActions: Int, seed: UInt64, now: Date?
    ) {
        var generator = SeededGenerator(seed: seed, salt: stableHash("manifest"))
        let labelled = (0..<storedActions).map(Self.action)
        let zipped = zip(mix.shares, mix.counts(of: runs))
        // Runs of manifests of different seeds are different runs.
        let firstNumber = (seed & 0xFFFF) << 32
        var made: [Entry] = []
        made.reserveCapacity(runs + pages)
        for (share, count) in zipped {
            for _ in 0..<count {
                let run = share.scenario.id(firstNumber + UInt64(made.count), parameter: share.parameter)
                let age = Self.date(share.age, now: now, &generator)
                made.append(Entry(action: generator.pick(labelled, or: labelled[0]).id, run: run, executedAt: age))
            }
        }
        let lists = Self.bulkReads(pages, pagesMix, seed: seed, now: now, &generator)
        made += lists
        generator.shuffle(&made)
        entries = made
        actions = labelled + Self.bulkActions.filter { action in lists.contains { $0.action == action.id } }
    }

    private static let bulkActions = [
        (id: ActionKind.readBulk.id(0xFFFF), label: "all_pages"),
        (id: ActionKind.read.id(0xFFFF), label: "all_contacts"),
    ]

    private static let kinds: [(kind: ActionKind, label: String)] = [
        (.read, "new_leads"), (.search, "find_contact"), (.write, "create_invoice"), (.readBulk, "list_orders"),
        (.run, "sync_inventory"),
    ]

    private static func action(_ index: Int) -> (id: CodedID, label: String) {
        let (kind, label) = kinds[index % kinds.count]
        let round = index / kinds.count
        return (kind.id(UInt64(index + 1)), round == 0 ? label : "\(label)_\(round + 1)")
    }

    private static func bulkReads(
        _ count: Int, _ mix: PagesMix, seed: UInt64, now: Date?, _ generator: inout SeededGenerator
    ) -> [Entry] {
        guard !mix.shares.isEmpty else { return [] }
        return (0..<count).map { index in
            let share = mix.shares[index % mix.shares.count]
            let pages = UInt16(2 + generator.below(5))
            let rows = UInt16(1 + generator.below(20))
            let page = BulkPage(
                chain: UInt16(truncatingIfNeeded: seed &* 1009 &+ UInt64(index)), pages: mix.pages ?? pages,
                rows: mix.rows ?? rows, cursors: share.cursors, course: share.course, times: share.times,
                place: share.place)
            let started = date(.withinRetention, now: now, &generator)
            return Entry(
                action: bulkActions[share.isRead ? 1 : 0].id, run: page.run(), executedAt: started,
                inputs: inputs(page), actionType: share.isRead ? ActionKind.read.actionType : nil)
        }
    }

    private static func inputs(_ page: BulkPage) -> JSON {
        var fields: [(String, JSON)] = [
            ("list", .string("list-\(page.chain)")), ("chain", .int(page.chain)), ("pages", .int(page.pages)),
            ("rows", .int(page.rows)), ("cursors", .string(page.cursors.name)),
        ]
        if page.course != .plain {
            fields += [("course", .string(page.course.name)), ("times", .int(page.times)), ("at", .int(page.place))]
        }
        return .object(fields)
    }

    private static func date(_ age: Mix.Age, now: Date?, _ generator: inout SeededGenerator) -> Date? {
        // Drawn in any case: a manifest without dates holds the same runs in the same order.
        let drawn = generator.fraction()
        guard let now else { return nil }
        let day: TimeInterval = 86_400
        return switch age {
        // The oldest expire ten minutes from now.
        case .withinRetention: now.addingTimeInterval(-drawn * (7 * day - 600))
        case .yesterday: now.addingTimeInterval(-day - drawn * 3600)
        case .eightDaysAgo: now.addingTimeInterval(-8 * day - drawn * day)
        case .untold: nil
        }
    }
}
