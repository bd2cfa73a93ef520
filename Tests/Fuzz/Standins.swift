/// Stands for what holds a body's room in the memory budget, so that answers are compiled without HTTP.
package final class BodyLease: Sendable {}
