import Foundation

/// What identifies a run: its stored action and its own id.
package struct RunKey: Hashable, Sendable {
    package var storedActionID: UUID
    package var runID: UUID

    package init(storedActionID: UUID, runID: UUID) {
        self.storedActionID = storedActionID
        self.runID = runID
    }

    /// 64 well mixed bits of the key, the same in every process: they choose a run's part of a spool.
    package var mixedBits: UInt64 {
        var state: UInt64 = 0
        for uuid in [storedActionID, runID] {
            withUnsafeBytes(of: uuid.uuid) { bytes in
                for offset in [0, 8] {
                    // The finaliser of SplitMix64, whose every output bit depends on every input bit.
                    state =
                        (state &+ 0x9E37_79B9_7F4A_7C15) ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
                    state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
                    state ^= state >> 31
                }
            }
        }
        return state
    }
}
