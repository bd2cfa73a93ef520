/// The request was cancelled before any of it left.
package struct CancelledBeforeDeparture: Error {
    package init() {}
}
