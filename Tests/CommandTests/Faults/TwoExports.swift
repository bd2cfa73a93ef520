import Testing

import Glibc

extension Fault {
    static let twoExports: [Fault] = [
        Fault(
            name: "two exports of one manifest", detail: "--if-locked fail, skip and wait",
            calls: [
                Call(
                    api: [.held(at: .read, occurrence: 700)], times: 3,
                    during: { act in
                        try await act.pulled()
                        let failing = try await act.scene.export()
                        #expect(failing.status == 75)
                        #expect(failing.finished.stderr.contains("another export of \"today\" is running"))
                        let skipping = try await act.scene.export(["--if-locked", "skip"])
                        #expect(skipping.status == 0)
                        let waiting = try await act.scene.export(["--if-locked", "wait"]) { _ in
                            try await act.scene.waitForOneThatWaits()
                            act.proxies.api.letGo()
                        }
                        #expect(waiting.status == 3)
                        try await act.scene.expectTrue(waiting)
                    }, asksOnce: true)
            ]),
        Fault(
            name: "two exports of one manifest", detail: "the first is killed while the second waits",
            calls: [
                Call(
                    api: [.held(at: .read, occurrence: 700)], statuses: [-SIGKILL],
                    during: { act in
                        try await act.pulled()
                        let waiting = try await act.scene.export(["--if-locked", "wait"]) { _ in
                            try await act.scene.waitForOneThatWaits()
                            act.running.send(SIGKILL)
                        }
                        #expect(waiting.status == 3, "\(waiting.finished.stderr)")
                        try await act.scene.expectTrue(waiting)
                        let outcomes = try await act.scene.stage.database.rows(
                            "select outcome from exports order by export_id")
                        #expect(outcomes == ["interrupted", "complete"])
                    })
            ]),
        Fault(
            name: "lock lost", detail: "with its connection, and taken by another export",
            calls: [
                Call(
                    api: [.held(at: .read, occurrence: 700)], statuses: [75], tells: ["another export of"],
                    during: { act in
                        try await act.pulled()
                        act.proxies.database.refuseConnections()
                        try await act.scene.stage.database.endSessions()
                        let other = try await act.scene.export(during: { _ in
                            try await wait("the other export has the lock") {
                                try await act.scene.stage.database.count("exports") == 2
                            }
                            try act.proxies.database.acceptConnections()
                            act.proxies.api.letGo()
                        })
                        #expect(other.status == 3, "\(other.finished.stderr)")
                        try await act.scene.expectTrue(other)
                    })
            ]),
        Fault(
            name: "two exports that share runs", detail: "at the same time",
            before: { _ in },
            calls: [
                Call(
                    times: 1,
                    during: { act in
                        let part = Scene.manifest(name: "part", 500..<1500)
                        let other = try await act.scene.export(of: part)
                        #expect(other.status == 3, "\(other.finished.stderr)")
                        try await act.scene.expectTrue(other, items: 1000)
                    })
            ]),
    ]
}

extension Scene {
    fileprivate func waitForOneThatWaits() async throws {
        try await wait("another export asks for the lock") { try await stage.database.sessions > 1 }
    }
}
