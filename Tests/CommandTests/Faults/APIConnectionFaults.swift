import Testing

import Glibc

extension Fault {
    static let apiConnection: [Fault] = [
        Fault(
            name: "API refuses connections", detail: "from the start, and for good in the middle", isPatient: true,
            calls: [
                Call(
                    times: 1, statuses: [69], tells: ["the API cannot be reached"],
                    during: { $0.proxies.api.refuseConnections() }),
                Call(
                    api: [.held(at: .read, occurrence: 700)], statuses: [69], tells: ["the API cannot be reached"],
                    during: { try await $0.goneAway() },
                    verify: { _, scene in
                        // What no connection was had for was never asked for.
                        let asked = try await scene.stage.database.count(
                            "export_items where export_id = 2 and outcome = 'queued'")
                        #expect(asked == 0)
                        let unasked = try await scene.stage.database.count(
                            "runs where outcome = 'failed' and attempts = 0")
                        #expect(unasked == 0)
                    }),
            ]),
        Fault(
            name: "API refuses connections", detail: "for a moment",
            calls: [
                Call(
                    api: [.held(at: .read, occurrence: 700)],
                    during: { act in
                        try await act.goneAway()
                        try await wait("the export finds the API gone", during: act.running) {
                            act.log.contains("the API cannot be reached")
                        }
                        try act.proxies.api.acceptConnections()
                    })
            ]),
        Fault(
            name: "API resets connections", detail: "before, in and instead of answers",
            calls: [
                Call(api: [
                    .held(at: .read, occurrence: 40, then: .reset).repeated(10, every: 60),
                    .answered(at: .read, occurrence: 60, then: .reset).repeated(10, every: 60),
                    .answered(at: .read, occurrence: 80, passing: .body(0.5), then: .reset).repeated(10, every: 60),
                ])
            ]),
        Fault(
            name: "API's answers are cut", detail: "in the head and at half of the body",
            calls: [
                Call(api: [
                    .answered(at: .read, occurrence: 60, passing: .bytes(20), then: .cut).repeated(10, every: 60),
                    .answered(at: .read, occurrence: 80, passing: .body(0.5), then: .cut).repeated(20, every: 60),
                ])
            ]),
        Fault(
            name: "API stalls", detail: "in head and body, until the export gives those answers up", isPatient: true,
            calls: [
                Call(api: [
                    .held(at: .read, occurrence: 100).repeated(2, every: 100),
                    .answered(at: .read, occurrence: 300, passing: .bytes(12)).repeated(2, every: 100),
                    .answered(at: .read, occurrence: 500, passing: .body(0.5)).repeated(2, every: 100),
                ])
            ]),
        Fault(
            name: "API stalls", detail: "in every head until the time limit", isPatient: true,
            calls: [
                Call(
                    options: ["--time-limit", "20s"],
                    api: [.answered(at: .read, occurrence: 100, passing: .bytes(12)).repeated(32)], statuses: [75],
                    tells: ["the time limit was reached"])
            ]),
        Fault(
            name: "API stalls", detail: "in every body until SIGTERM",
            calls: [
                Call(
                    api: [.answered(at: .read, occurrence: 400, passing: .body(0.5)).repeated(32)],
                    statuses: [128 + SIGTERM], tells: ["interrupted by signal 15"],
                    during: { act in
                        try await act.pulled(32)
                        act.running.send(SIGTERM)
                    })
            ]),
        Fault(
            name: "API drips", detail: "byte by byte",
            calls: [Call(api: [.answered(at: .read, occurrence: 100, then: .drip(200)).repeated(12, every: 120)])]),
    ]
}

extension Scene.Act {
    /// The API's machine stops in the middle: its connections end, and no new one is to be had.
    fileprivate func goneAway() async throws {
        try await pulled()
        try await scene.noteSettled()
        proxies.api.refuseConnections()
        proxies.api.cutConnections()
        proxies.api.letGo()
    }
}
