import Foundation

/// What identifies a run: its stored action and its own id.
package struct RunKey: Hashable, Sendable {
    package var storedActionID: UUID
    package var runID: UUID

    package init(storedActionID: UUID, runID: UUID) {
        self.storedActionID = storedActionID
        self.runID = runID
    }
}
