import Foundation
import Testing

import Glibc

/// A run whose answer an export may have died of keeps no other from being stored.
@Suite("Runs that were under way when an export died")
struct SuspectTests {
    @Test func `They go last in the next export, alone, and the culprit behind the others in the one after that`()
        async throws
    {
        try await Stage.with { stage in
            let manifest = Manifest.of(40)
            // The runs expire at the same time, so the order is that of their IDs.
            let order = manifest.runs.map(\.id).sorted()
            // The first one opens the rate window for those behind it.
            let culprit = order[1]
            let (innocent, asked) = (Set(order[2...4]), AnswerServer.Event.asked(culprit))
            var answers: [String: AnswerServer.Answer] = [:]
            for run in order {
                answers[run] = AnswerServer.Answer(body: Array(#"{"status": "success", "results": [1]}"#.utf8))
                if run == culprit { answers[run]?.silences = 2 }
                // These are in flight, too, when the first export dies.
                if innocent.contains(run) { answers[run]?.silences = 1 }
            }
            try await AnswerServer.with(answers) { server in
                let changes = ["ZAPIER_API_URL": server.url]
                // As many are silent as are in flight at most: nothing else is ever asked for.
                let first = try await stage.export(manifest, "--concurrency", "4", changes: changes) { running in
                    try await wait("requests in flight") { server.log.count == 6 }
                    try await wait("the first commit") {
                        try await stage.database.count("runs where outcome = 'success'") == 1
                    }
                    running.send(SIGKILL)
                }
                #expect(first.status == -SIGKILL)

                let second = try await stage.export(manifest, "--concurrency", "4", changes: changes) { running in
                    try await wait("the culprit's turn") { server.log.count { $0 == asked } == 2 }
                    try await wait("the commit of all before it") {
                        try await stage.database.count("runs where outcome = 'success'")
                            == server.log.count { if case .answered = $0 { true } else { false } }
                    }
                    running.send(SIGKILL)
                }
                #expect(second.status == -SIGKILL)
                #expect(try await stage.database.count("runs where outcome = 'success'") == 36)
                #expect(try await stage.database.count("runs where failure like 'an export died%'") == 4)

                let third = try await stage.export(manifest, "--concurrency", "4", changes: changes)
                #expect(third.status == 0, "\(third.finished.stderr)")
                #expect(try await stage.database.count("runs where outcome = 'success' and failure is null") == 40)
                let log = server.log
                #expect(log.suffix(2) == [asked, .answered(culprit)])
                // After the first export, each of the four was asked for when all others had been, and alone.
                let others = log.dropFirst(6).lastIndex { event in
                    if case .answered(let run) = event { run != culprit && !innocent.contains(run) } else { false }
                }
                let behind = log[(try #require(others) + 1)...]
                #expect(behind.count { if case .asked = $0 { true } else { false } } == 5)
                for (event, next) in zip(behind, behind.dropFirst()) {
                    // The culprit, asked for a second time in vain, is followed by another export's request.
                    if case .asked(let run) = event, event != asked { #expect(next == .answered(run)) }
                }
                #expect(log.count { $0 == asked } == 3)
            }
        }
    }
}
