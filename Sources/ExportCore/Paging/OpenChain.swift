/// A chain that an export is to go on with.
package struct OpenChain: Sendable, Equatable {
    package var chain: Chain
    /// Where the export's manifest has the chain's inputs; nil if it has no manifest.
    package var manifestPosition: Int?

    package init(chain: Chain, manifestPosition: Int? = nil) {
        self.chain = chain
        self.manifestPosition = manifestPosition
    }
}
