import ActionsAPI

/// How long one request may take, and how large its answer may be.
package struct TransportLimits: Sendable {
    /// Until there is a connection, TLS included.
    package var connect: Duration = .seconds(10)
    /// Without a single byte from the server, the wait for the head included.
    package var read: Duration = .seconds(30)
    /// From the moment the request leaves to the last byte of the body.
    package var total: Duration = .seconds(600)
    /// A body that goes on for longer than one interval brings at least so many bytes in each: one that drips would
    /// hold its place until the total limit.
    package var rateInterval: Duration = .seconds(30)
    package var leastBytes = 6000
    /// Bytes of a body, after decompression.
    package var body = 256 << 20

    package init() {}
}
