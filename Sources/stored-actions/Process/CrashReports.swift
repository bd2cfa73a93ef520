import Foundation

/// Lets a process that crashes end at once and in silence, as the shell tells it. Swift's own account of a crash shows
/// registers and the memory that they point to, where a token may lie, and takes its time, in which a lock is still held.
func muteCrashReports() {
    for fault in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV] { signal(fault, SIG_DFL) }
}
